use std::sync::Arc;

use sqlx::PgPool;
use taskfold_web::auth::{Signer, Verifier};
use taskfold_web::shared::Shared;
use tokio::sync::{Notify, Semaphore};

use taskfold_attachments::uploads::Uploads;
use taskfold_commands::Engine;

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
    pub uploads: Uploads,
}

impl AsRef<Verifier> for Parts {
    fn as_ref(&self) -> &Verifier {
        &self.verifier
    }
}
