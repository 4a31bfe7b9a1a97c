//! Drain at shutdown: streams continue until their drain slot, and the tasks that feed them run until the last has
//! ended.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::drain_slots::MAX_DRAIN;
use super::hub::Hub;

const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Waits for `shutdown`, then until all streams have ended (with a limit), and cancels `drained`: the tasks that feed
/// the streams must run until then.
pub async fn watch(hub: Arc<Hub>, shutdown: CancellationToken, drained: CancellationToken) {
    shutdown.cancelled().await;
    let all_ended = async {
        while hub.streams().count() > 0 {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    if tokio::time::timeout(MAX_DRAIN + Duration::from_secs(1), all_ended).await.is_err() {
        tracing::warn!(streams = hub.streams().count(), "streams are still open after the drain");
    }
    drained.cancel();
}
