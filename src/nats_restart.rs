//! An embedded nats-server that answers and takes nothing is started again. JetStream of NATS 2.14 and later gives a stream up after an error
//! of its disk, such as a full one, until the server restarts.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use taskfold_embedded::Restarter;

/// Between two restarts: one that did not help, as with a disk that is still full, is not repeated at once.
const APART: Duration = Duration::from_secs(30);

/// Starts the server again when publishing stays stuck, until `shutdown`.
pub async fn restart_when_stuck(stuck: Arc<Notify>, server: Restarter, shutdown: CancellationToken) {
    while shutdown.run_until_cancelled(stuck.notified()).await.is_some() {
        tracing::warn!("publishing stays stuck, starting the embedded nats-server again");
        server.restart();
        shutdown.run_until_cancelled(tokio::time::sleep(APART)).await;
    }
}
