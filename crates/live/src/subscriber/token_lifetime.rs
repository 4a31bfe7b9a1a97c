//! Lifetime of the token with which a stream was opened or renewed: the stream ends with it.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use taskfold_domain::limits::STREAM_SECONDS;
use taskfold_event_log::Clock;
use tokio::time::Instant;

use crate::stream_end::EndReason;

/// Time before the expiry at which the client is warned, so that it can renew the stream.
const WARNING_BEFORE_EXPIRY: Duration = Duration::from_secs(60);
/// Upper bound on the lifetime of a stream, whatever its token says.
const MAX_LIFETIME: Duration = Duration::from_secs(STREAM_SECONDS);

pub(super) struct TokenLifetime {
    /// Expiry in the token, in seconds since 1970.
    expires_at: i64,
    ends_at: Instant,
    end_reason: EndReason,
    warned: bool,
    /// Completes when the authority behind the token ends; `None` once it has.
    revocation: Option<BoxFuture<'static, ()>>,
}

impl TokenLifetime {
    pub(super) fn new(expires_at: i64, revocation: BoxFuture<'static, ()>, clock: &Clock) -> Self {
        let remaining = expires_at.saturating_sub(clock.unix_seconds());
        let remaining = Duration::from_secs(u64::try_from(remaining).unwrap_or(0)).min(MAX_LIFETIME);
        Self {
            expires_at,
            ends_at: Instant::now() + remaining,
            end_reason: EndReason::TokenExpired,
            warned: false,
            revocation: Some(revocation),
        }
    }

    /// Extends the lifetime to that of a token that ends the stream later. Another one changes nothing.
    pub(super) fn renew(&mut self, expires_at: i64, revocation: BoxFuture<'static, ()>, clock: &Clock) {
        let renewed = Self::new(expires_at, revocation, clock);
        // A token expires at a full second, and a stream does not: the same token must not end it later.
        if renewed.ends_at > self.ends_at + Duration::from_secs(1) {
            *self = renewed;
        }
    }

    pub(super) fn expires_at(&self) -> i64 {
        self.expires_at
    }

    /// Reason for the end of the stream, if the token has expired or is revoked. Checked before each frame, because a
    /// busy stream may never wait.
    pub(super) fn end_reason(&mut self) -> Option<EndReason> {
        let _ = self.revoked().now_or_never();
        (Instant::now() >= self.ends_at).then_some(self.end_reason)
    }

    /// Remaining time, if the client must be warned now. Returned once.
    pub(super) fn due_warning(&mut self) -> Option<Duration> {
        let left = self.ends_at.saturating_duration_since(Instant::now());
        (left <= WARNING_BEFORE_EXPIRY && !std::mem::replace(&mut self.warned, true)).then_some(left)
    }

    /// Time of the warning, or of the end once the client is warned.
    pub(super) fn next_deadline(&self) -> Instant {
        self.ends_at.checked_sub(WARNING_BEFORE_EXPIRY).filter(|_| !self.warned).unwrap_or(self.ends_at)
    }

    /// Waits until the token is revoked, and ends the lifetime.
    pub(super) async fn revoked(&mut self) {
        match &mut self.revocation {
            Some(revocation) => revocation.await,
            None => return std::future::pending().await,
        }
        // A completed future must not be polled again.
        self.revocation = None;
        self.ends_at = Instant::now();
        self.end_reason = EndReason::TokenRevoked;
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};
    use taskfold_event_log::FixedClock;

    use super::*;

    fn never() -> BoxFuture<'static, ()> {
        std::future::pending().boxed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_that_outlasts_the_stream_renews_it_and_no_other_does_twice() {
        let time = FixedClock::new(DateTime::UNIX_EPOCH.into());
        let advance = async |by: Duration| {
            time.advance(TimeDelta::from_std(by).expect("in range"));
            tokio::time::advance(by).await;
        };
        let mut never_expires = TokenLifetime::new(i64::MAX, never(), &time.clock());
        let mut expires = TokenLifetime::new(300, never(), &time.clock());
        advance(Duration::from_secs(241)).await;
        assert!(expires.due_warning().is_some());
        expires.renew(300, never(), &time.clock());
        assert!(expires.due_warning().is_none(), "the client was warned of this expiry");
        advance(MAX_LIFETIME - Duration::from_secs(271)).await;
        assert!(expires.end_reason().is_some() && never_expires.due_warning().is_some());
        never_expires.renew(i64::MAX, never(), &time.clock());
        advance(MAX_LIFETIME - Duration::from_secs(1)).await;
        assert!(never_expires.end_reason().is_none() && never_expires.due_warning().is_some());
        let another = time.clock().unix_seconds() + 30 * 24 * 60 * 60;
        never_expires.renew(another, never(), &time.clock());
        advance(Duration::from_secs(2)).await;
        assert!(never_expires.end_reason().is_none(), "a token that expires earlier, but after the stream");
    }
}
