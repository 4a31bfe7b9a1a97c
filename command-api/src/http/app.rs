use std::sync::Arc;

use sqlx::PgPool;
use taskfold_openapi::auth::{Signer, Verifier};
use taskfold_openapi::shared::Shared;
use tokio::sync::{Notify, Semaphore};

use crate::attachments::Attachments;
use crate::engine::Engine;

pub type App = Shared<Parts>;

/// What handlers share.
pub struct Parts {
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

impl AsRef<Verifier> for Parts {
    fn as_ref(&self) -> &Verifier {
        &self.verifier
    }
}
