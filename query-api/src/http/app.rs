use std::sync::Arc;

use axum::extract::FromRef;
use sqlx::PgPool;
use taskfold_attachments::Store;
use taskfold_openapi::auth::Verifier;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::streams::elsewhere::Peers;
use crate::live::{Hub, Presence};

/// What handlers share.
#[derive(Clone)]
pub struct App {
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

impl FromRef<App> for Verifier {
    fn from_ref(app: &App) -> Self {
        app.verifier.clone()
    }
}
