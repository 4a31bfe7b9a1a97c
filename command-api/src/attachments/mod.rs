/// What a request says of the file it brings.
pub mod announced;
/// A body as it comes in.
pub mod body;
/// Checksums of requests' bodies.
pub mod checksum;
/// From a file that is stored to its event.
mod commit;
/// What is left of uploads that came to nothing, and of attachments that were removed.
pub mod janitor;
/// One file that comes in in one request, which leaves nothing behind if it breaks off.
pub mod receiving;
/// A file that comes in in several requests.
pub mod resumable;
/// Uploads that are under way, in the database.
pub mod uploads;

use std::sync::Arc;

use sqlx::PgPool;
use taskfold_attachments::{Store, StoreError};
use taskfold_domain::input::{ContentType, FileName};
use taskfold_openapi::{Code, Problem};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

pub use commit::{commit, may_attach};

/// Uploads at one time. Each holds two parts in memory at most.
const AT_ONCE: usize = 128;

/// What uploads share. Cheap to clone.
#[derive(Clone)]
pub struct Attachments {
    pub pool: PgPool,
    pub store: Store,
    /// Of one file, at most.
    pub limit: u64,
    places: Arc<Semaphore>,
    /// Wakes the janitor.
    pub removed: Arc<Notify>,
}

/// A file's name and type, as they were taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub name: FileName,
    pub content_type: ContentType,
}

impl Attachments {
    pub fn new(pool: PgPool, store: Store, limit: u64) -> Self {
        Self { pool, store, limit, places: Arc::new(Semaphore::new(AT_ONCE)), removed: Arc::default() }
    }

    /// A place for one upload, held while it comes in.
    pub fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| Problem::unavailable("A place for another upload"))
    }

    pub fn too_large(&self) -> Problem {
        Problem::new(Code::PayloadTooLarge, format!("An attachment may have {} bytes at most", self.limit))
            .with("limit", self.limit)
    }
}

pub fn store_problem(error: StoreError) -> Problem {
    match error {
        StoreError::NotFound => Problem::internal(&"stored bytes of an upload are gone"),
        StoreError::Unavailable(cause) => {
            tracing::warn!(cause, "an attachment could not be stored");
            Problem::unavailable("The store of attachments")
        }
    }
}

pub fn database_problem(error: sqlx::Error) -> Problem {
    tracing::warn!(%error, "uploads cannot be reached");
    Problem::unavailable("The database")
}
