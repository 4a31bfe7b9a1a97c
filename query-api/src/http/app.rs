use std::sync::Arc;

use sqlx::PgPool;
use taskfold_attachments::Store;
use taskfold_live::{Hub, Presence};
use taskfold_web::auth::Verifier;
use taskfold_web::shared::Shared;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::streams::elsewhere::Peers;

pub type App = Shared<Parts>;

/// What handlers share.
pub struct Parts {
    pub pool: PgPool,
    pub verifier: Verifier,
    /// The position the read tables were last heard to have reached.
    pub projected: watch::Receiver<i64>,
    pub hub: Arc<Hub>,
    pub presence: Arc<Presence>,
    /// Without NATS, there is only this instance.
    pub peers: Option<Peers>,
    pub attachments: Store,
    pub shutdown: CancellationToken,
}

impl AsRef<Verifier> for Parts {
    fn as_ref(&self) -> &Verifier {
        &self.verifier
    }
}
