//! State that the handlers share.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use sqlx::PgPool;
use taskfold_attachments::Store;
use taskfold_domain::limits::Configured;
use taskfold_event_log::{Clock, LogIdentity};
use taskfold_live::{Hub, Presence};
use taskfold_web::auth::Verifier;
use taskfold_web::shared::SharedState;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::streams::peers::Peers;

pub type App = SharedState<AppState>;

pub struct AppState {
    pub pool: PgPool,
    pub verifier: Verifier,
    /// Position that the read tables were last reported to have reached.
    pub projected: watch::Receiver<i64>,
    /// Position at which the projection was last found to make no progress.
    pub stalled_at: AtomicI64,
    pub hub: Arc<Hub>,
    pub presence: Arc<Presence>,
    /// `None` without NATS: this is then the only instance.
    pub peers: Option<Peers>,
    pub attachments: Store,
    pub limits: Configured,
    /// Identity of the log.
    pub log: watch::Receiver<LogIdentity>,
    pub clock: Clock,
    pub shutdown: CancellationToken,
}

impl AsRef<Verifier> for AppState {
    fn as_ref(&self) -> &Verifier {
        &self.verifier
    }
}
