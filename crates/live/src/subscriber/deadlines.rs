//! Deadlines of a stream: the heartbeat, the lifetime of the token, and the drain slot at shutdown.

use std::pin::Pin;
use std::time::Duration;

use taskfold_domain::limits::STREAM_HEARTBEAT_SECONDS;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;

use super::token_lifetime::TokenLifetime;

pub(super) const HEARTBEAT: Duration = Duration::from_secs(STREAM_HEARTBEAT_SECONDS);

pub(super) struct Deadlines {
    heartbeat: Pin<Box<Sleep>>,
    pub(super) token: TokenLifetime,
    shutdown: CancellationToken,
    /// End of the stream in its drain slot, once the instance shuts down.
    drain_at: Option<Instant>,
}

impl Deadlines {
    pub(super) fn new(token: TokenLifetime, shutdown: CancellationToken) -> Self {
        Self { heartbeat: Box::pin(tokio::time::sleep(HEARTBEAT)), token, shutdown, drain_at: None }
    }

    pub(super) fn is_heartbeat_due(&self) -> bool {
        self.heartbeat.is_elapsed()
    }

    pub(super) fn reset_heartbeat(&mut self) {
        self.heartbeat.as_mut().reset(Instant::now() + HEARTBEAT);
    }

    /// Returns whether the stream must end because the instance shuts down. `delay` takes its drain slot.
    pub(super) fn is_drain_due(&mut self, delay: impl FnOnce() -> Duration) -> bool {
        self.shutdown.is_cancelled() && *self.drain_at.get_or_insert_with(|| Instant::now() + delay()) <= Instant::now()
    }

    /// Waits until the next deadline: without a limit also until `wake` is notified, and otherwise at most for `limit`.
    pub(super) async fn wait(&mut self, wake: &Notify, limit: Option<Duration>) {
        let limits = limit.map(|limit| Instant::now() + limit).into_iter().chain(self.drain_at);
        let until = limits.fold(self.token.next_deadline(), Instant::min);
        tokio::select! {
            () = wake.notified(), if limit.is_none() => {}
            () = self.heartbeat.as_mut() => {}
            () = tokio::time::sleep_until(until) => {}
            () = self.shutdown.cancelled(), if self.drain_at.is_none() => {}
            () = self.token.revoked() => {}
        }
    }
}
