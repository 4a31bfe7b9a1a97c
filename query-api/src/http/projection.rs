//! Waiting for the read tables to reach a position.

use std::time::Duration;

use tokio::time::Instant;

use super::app::App;

/// Poll interval for read tables that were reported to be further than they are.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Waits until the read tables are reported to have reached this position. Returns `false` at the deadline, and at
/// shutdown.
pub async fn wait_until_projected(app: &App, position: i64, deadline: Instant) -> bool {
    let mut projected = app.projected.clone();
    let waiting = async {
        // The report may be ahead of a replica, or of tables that are being rebuilt.
        if *projected.borrow() >= position {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        projected.wait_for(|p| *p >= position).await.is_ok()
    };
    tokio::select! {
        reached = tokio::time::timeout_at(deadline, waiting) => reached.unwrap_or(false),
        () = app.shutdown.cancelled() => false,
    }
}
