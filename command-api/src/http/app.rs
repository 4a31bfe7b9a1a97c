//! State that the handlers share.

use std::sync::Arc;

use sqlx::PgPool;
use taskfold_attachments::slots::Slots;
use taskfold_attachments::uploads::Uploads;
use taskfold_commands::Engine;
use taskfold_domain::limits::Configured;
use taskfold_event_log::Clock;
use taskfold_web::auth::{Signer, Verifier};
use taskfold_web::shared::SharedState;
use tokio::sync::Notify;

use super::accounts::{HashingSlots, SignInAttempts, SignUp};

pub type App = SharedState<AppState>;

pub struct AppState {
    pub engine: Engine,
    pub pool: PgPool,
    pub signer: Signer,
    pub verifier: Verifier,
    pub hashing: HashingSlots,
    pub sign_in_attempts: SignInAttempts,
    pub sign_up: SignUp,
    /// Wakes the worker that runs imports.
    pub imports: Arc<Notify>,
    /// Files of imports that are being received.
    pub import_files: Arc<Slots>,
    pub uploads: Uploads,
    pub limits: Configured,
    pub clock: Clock,
}

impl AsRef<Verifier> for AppState {
    fn as_ref(&self) -> &Verifier {
        &self.verifier
    }
}
