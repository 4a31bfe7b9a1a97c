//! Uploads: a file on its way into the store, in one request or in several.

/// Checksums of request bodies.
pub mod checksum;
/// Removal of abandoned uploads, and of the bytes of removed attachments.
pub mod janitor;
/// The quota of a project's attachments.
pub mod quota;
/// An upload in several requests.
pub mod resumable;
/// Uploads in progress, in the database.
pub mod rows;
/// An upload in a single request, which leaves nothing behind if it breaks off.
pub mod single;

use std::sync::Arc;

use sqlx::PgPool;
use taskfold_domain::ids::{ProjectId, TaskId, UserId};
use taskfold_domain::input::{ContentType, FileName};
use taskfold_domain::limits::Configured;
use taskfold_event_log::Clock;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::slots::{NoSlot, Slot, Slots};
use crate::{Store, StoreError};

/// State that uploads share. Cheap to clone.
#[derive(Clone)]
pub struct Uploads {
    pub pool: PgPool,
    pub store: Store,
    /// Limit of one file, in bytes.
    pub limit: u64,
    /// Limit of all files of a project, in bytes.
    quota: u64,
    slots: Arc<Slots>,
    /// Wakes the janitor after a removal.
    pub removed: Arc<Notify>,
    clock: Clock,
}

/// A file's name and type, cleaned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub name: FileName,
    pub content_type: ContentType,
}

/// The command that an upload will be attached by.
#[derive(Clone, Copy, Debug)]
pub struct AttachRequest {
    pub user: UserId,
    pub command_id: Uuid,
}

/// The task that an upload will be attached to.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub project: ProjectId,
    pub task: TaskId,
}

/// Reason for which a request body did not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("no bytes arrived within the limit")]
    Idle,
    #[error("the connection broke off")]
    BrokenOff,
}

/// Reason for which an upload was refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    #[error("the file exceeds {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the project uses {used} of {quota} bytes, so {size} bytes do not fit")]
    QuotaExceeded { quota: u64, used: u64, size: u64 },
    #[error("too many uploads are in progress")]
    TooManyAtOnce,
    #[error("too many uploads of this user are in progress")]
    TooManyOfUser { max: u32 },
    /// The janitor took the upload for abandoned.
    #[error("the upload was abandoned")]
    Abandoned,
    #[error("the upload is at another offset, or another request writes to it")]
    AtAnotherOffset,
    #[error("the body exceeds the declared length")]
    BeyondDeclaredLength,
    #[error("the body does not match its checksum")]
    ChecksumMismatch,
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl Uploads {
    /// Each upload in progress holds at most two parts in memory.
    pub fn new(pool: PgPool, store: Store, limits: &Configured, clock: Clock) -> Self {
        let slots = Slots::new(limits.concurrent_uploads.get(), limits.concurrent_uploads_per_user.get());
        Self {
            pool,
            store,
            limit: limits.attachment_bytes,
            quota: limits.attachment_bytes_per_project,
            slots,
            removed: Arc::default(),
            clock,
        }
    }

    /// A slot for one upload of the user, held while it is received.
    pub fn slot(&self, user: UserId) -> Result<Slot, UploadError> {
        self.slots.take(user).map_err(|none| match none {
            NoSlot::OfAll => UploadError::TooManyAtOnce,
            NoSlot::OfUser { max } => UploadError::TooManyOfUser { max },
        })
    }
}
