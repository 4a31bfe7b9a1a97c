use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use taskfold_event_log::clock;
use tokio::time::Instant;

/// How long before the end of its token a client is told, so that it can renew the stream.
const AHEAD: Duration = Duration::from_secs(60);
/// However long a token is good for.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// For how long the token with which a stream was opened, or renewed, lets it stay.
pub(super) struct Term {
    /// As the token says it, in seconds since 1970.
    expires_at: i64,
    ends: Instant,
    /// Whether the client knows that it will end.
    told: bool,
    /// Ends when the token is worth nothing before its time, if that can happen.
    revoked: Option<BoxFuture<'static, ()>>,
}

impl Term {
    pub(super) fn new(expires_at: i64, revoked: Option<BoxFuture<'static, ()>>) -> Self {
        let lives = expires_at.saturating_sub(clock::now().utc().timestamp());
        let lives = Duration::from_secs(u64::try_from(lives).unwrap_or(0)).min(LONGEST);
        Self { expires_at, ends: Instant::now() + lives, told: false, revoked }
    }

    /// A token that lives no longer takes nothing away.
    pub(super) fn renew(&mut self, expires_at: i64, revoked: Option<BoxFuture<'static, ()>>) {
        if expires_at > self.expires_at {
            *self = Self::new(expires_at, revoked);
        }
    }

    pub(super) fn expires_at(&self) -> i64 {
        self.expires_at
    }

    /// Asked before each piece: a busy stream may never wait.
    pub(super) fn is_over(&mut self) -> bool {
        let _ = self.revoked().now_or_never();
        Instant::now() >= self.ends
    }

    /// How much is left, when that is to be told now: once.
    pub(super) fn is_to_be_told(&mut self) -> Option<Duration> {
        let left = self.ends.saturating_duration_since(Instant::now());
        (left <= AHEAD && !std::mem::replace(&mut self.told, true)).then_some(left)
    }

    /// When there is something to be told, or the end.
    pub(super) fn next_look(&self) -> Instant {
        self.ends.checked_sub(AHEAD).filter(|_| !self.told).unwrap_or(self.ends)
    }

    /// Until the token is revoked; then the term is over.
    pub(super) async fn revoked(&mut self) {
        match &mut self.revoked {
            Some(revoked) => revoked.await,
            None => return std::future::pending().await,
        }
        // Not to be asked again.
        self.revoked = None;
        self.ends = Instant::now();
    }
}
