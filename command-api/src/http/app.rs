use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;
use sqlx::PgPool;
use taskfold_openapi::auth::{Signer, Verifier};
use tokio::sync::{Notify, Semaphore};

use crate::attachments::Attachments;
use crate::engine::Engine;

/// What handlers share, as each of them gets it with each request.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// What handlers share.
pub struct Shared {
    pub engine: Engine,
    pub pool: PgPool,
    pub signer: Signer,
    pub verifier: Verifier,
    /// Password hashes cost tens of MiB and milliseconds each on purpose: only so many at once.
    pub hashing: Arc<Semaphore>,
    /// Wakes the worker on imports.
    pub imports: Arc<Notify>,
    pub attachments: Attachments,
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
