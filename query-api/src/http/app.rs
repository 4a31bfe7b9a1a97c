use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;
use sqlx::PgPool;
use taskfold_attachments::Store;
use taskfold_openapi::auth::Verifier;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::streams::elsewhere::Peers;
use crate::live::{Hub, Presence};

/// What handlers share, as each of them gets it with each request.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// What handlers share.
pub struct Shared {
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

impl From<Shared> for App {
    fn from(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl FromRef<App> for Verifier {
    fn from_ref(app: &App) -> Self {
        app.verifier.clone()
    }
}
