//! Pause before another attempt.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

const RETRY_AFTER: Duration = Duration::from_millis(250);

/// Waits before another attempt, or until shutdown.
pub async fn wait(working: &CancellationToken) {
    tokio::select! {
        () = working.cancelled() => {}
        () = tokio::time::sleep(RETRY_AFTER) => {}
    }
}
