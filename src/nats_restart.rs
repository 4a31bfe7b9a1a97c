//! Restart of an embedded nats-server that responds but accepts no messages. JetStream of NATS 2.14 and later disables
//! a stream after a disk error, such as a full disk, until the server restarts.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use taskfold_embedded::Restarter;

/// Minimum interval of restarts, for a cause that a restart does not remove, such as a disk that is still full.
const RESTART_INTERVAL: Duration = Duration::from_secs(30);

/// Restarts the server each time that publishing stays stuck, until `shutdown`.
pub async fn restart_when_stuck(stuck: Arc<Notify>, server: Restarter, shutdown: CancellationToken) {
    while shutdown.run_until_cancelled(stuck.notified()).await.is_some() {
        tracing::warn!("publishing is stuck, restarting the embedded nats-server");
        server.restart();
        shutdown.run_until_cancelled(tokio::time::sleep(RESTART_INTERVAL)).await;
    }
}
