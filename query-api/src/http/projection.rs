//! Waiting for the read tables to reach a position.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::app::App;
use super::error::ReadError;
use super::snapshot::Snapshot;

/// Poll interval for read tables that were reported to be further than they are.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Time without progress after which the projection is not waited for: what is there is answered at once.
const STALLED: Duration = Duration::from_secs(1);

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

/// Waits until the read tables have everything that the log had, up to `logged`, when the read arrived: a person's own
/// write is in their next read. Returns a later snapshot, or the same one after the deadline, at shutdown, and while the
/// projection makes no progress.
pub async fn refreshed(
    app: &App,
    caller: &taskfold_web::Caller,
    snapshot: Snapshot,
    logged: i64,
    deadline: Instant,
) -> Result<Snapshot, ReadError> {
    if snapshot.position >= logged || Instant::now() >= deadline {
        return Ok(snapshot);
    }
    snapshot.close().await;
    loop {
        let mut projected = app.projected.clone();
        let at = *projected.borrow();
        if at < logged {
            if app.stalled_at.load(Ordering::Relaxed) == at {
                return Snapshot::open(app, caller).await;
            }
            let progress = async { projected.wait_for(|now| *now > at).await.is_ok() };
            let until = deadline.min(Instant::now() + STALLED);
            let advances = tokio::select! {
                advances = tokio::time::timeout_at(until, progress) => advances.unwrap_or(false),
                () = app.shutdown.cancelled() => false,
            };
            if !advances {
                if Instant::now() < deadline {
                    app.stalled_at.store(at, Ordering::Relaxed);
                }
                return Snapshot::open(app, caller).await;
            }
            continue;
        }
        let snapshot = Snapshot::open(app, caller).await?;
        if snapshot.position >= logged || Instant::now() >= deadline {
            return Ok(snapshot);
        }
        snapshot.close().await;
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
