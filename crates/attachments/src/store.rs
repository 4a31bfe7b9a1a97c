//! The objects of a file, and their removal.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use taskfold_domain::ids::AttachmentId;
use tokio::time::Instant;

/// Time for which a failed write is reported if no other write follows.
const FAILURE_REPORTED_FOR: Duration = Duration::from_secs(10);

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the bytes do not exist")]
    NotFound,
    #[error("the store of attachments failed: {0}")]
    Unavailable(String),
}

impl From<object_store::Error> for StoreError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::NotFound,
            error => Self::Unavailable(error.to_string()),
        }
    }
}

/// The store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    /// Folder of the objects, if they are files.
    folder: Option<PathBuf>,
    /// Time of the last failed write, if none has succeeded since.
    failed: Arc<Mutex<Option<Instant>>>,
}

/// Name of an unfinished part, which ends at this byte of the file. It is not the name of the part, because a writer
/// that was superseded could then overwrite the complete part.
fn tail(id: AttachmentId, at: u64) -> Path {
    tails(id).join(format!("{at:016}"))
}

fn tails(id: AttachmentId) -> Path {
    Path::from_iter(["unfinished".to_owned(), id.to_string()])
}

fn parts(id: AttachmentId) -> Path {
    Path::from(id.to_string())
}

impl Store {
    pub fn new(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects, folder: None, failed: Arc::default() }
    }

    /// A store whose `objects` are the files in `folder`.
    pub fn in_folder(objects: Arc<dyn ObjectStore>, folder: PathBuf) -> Self {
        Self { objects, folder: Some(folder), failed: Arc::default() }
    }

    /// Checks that the store responds, with a request for an object that does not exist.
    pub async fn answers(&self) -> Result<(), StoreError> {
        if let Some(folder) = &self.folder {
            // A request for a file cannot distinguish a missing file from a missing folder.
            let metadata = tokio::fs::metadata(folder).await;
            return metadata.map(|_| ()).map_err(|error| StoreError::Unavailable(error.to_string()));
        }
        match self.objects.head(&Path::from("nothing")).await.map_err(StoreError::from) {
            Ok(_) | Err(StoreError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Outcome of the last write of this process. A store that responds may be full nevertheless.
    pub fn takes_writes(&self) -> bool {
        let failed = *self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.is_none_or(|at| at.elapsed() > FAILURE_REPORTED_FOR)
    }

    async fn put(&self, name: &Path, bytes: Bytes) -> Result<(), StoreError> {
        let outcome = self.objects.put(name, bytes.into()).await;
        let failed = outcome.is_err().then(Instant::now);
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
        Ok(outcome.map(|_| ())?)
    }

    pub(crate) async fn put_part(&self, id: AttachmentId, index: u64, bytes: Bytes) -> Result<(), StoreError> {
        let name = parts(id).join(format!("{index:06}"));
        self.put(&name, bytes).await
    }

    pub(crate) async fn read_part(
        &self,
        id: AttachmentId,
        index: u64,
        range: std::ops::Range<u64>,
    ) -> Result<Bytes, StoreError> {
        Ok(self.objects.get_range(&parts(id).join(format!("{index:06}")), range).await?)
    }

    pub(crate) async fn put_tail(&self, id: AttachmentId, at: u64, bytes: Bytes) -> Result<(), StoreError> {
        self.put(&tail(id, at), bytes).await
    }

    pub(crate) async fn read_tail(&self, id: AttachmentId, at: u64) -> Result<Bytes, StoreError> {
        Ok(self.objects.get(&tail(id, at)).await?.bytes().await?)
    }

    pub(crate) async fn remove_tail(&self, id: AttachmentId, at: u64) -> Result<(), StoreError> {
        match self.objects.delete(&tail(id, at)).await.map_err(StoreError::from) {
            Ok(()) | Err(StoreError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes everything under the id, finished or not. It is no error if there is nothing.
    pub async fn remove(&self, id: AttachmentId) -> Result<(), StoreError> {
        self.remove_all(parts(id)).await?;
        self.remove_tails(id).await
    }

    /// Removes unfinished parts.
    pub async fn remove_tails(&self, id: AttachmentId) -> Result<(), StoreError> {
        self.remove_all(tails(id)).await
    }

    /// Names of all objects, of all files. For tests and for inspections of a store.
    pub async fn names(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.objects.list(None).map_ok(|object| object.location.to_string()).try_collect().await?)
    }

    async fn remove_all(&self, prefix: Path) -> Result<(), StoreError> {
        if let Some(folder) = &self.folder {
            // The folder is removed with everything in it: a listing does not show files that a killed process left
            // unfinished.
            let folder = prefix.parts().fold(folder.clone(), |path, part| path.join(part.as_ref()));
            return match tokio::fs::remove_dir_all(&folder).await {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::Unavailable(error.to_string())),
                Ok(()) | Err(_) => Ok(()),
            };
        }
        let names = self.objects.list(Some(&prefix)).map_ok(|object| object.location).boxed();
        let removed = self.objects.delete_stream(names);
        removed.try_for_each(|_| async { Ok(()) }).await.or_else(|error| match error {
            object_store::Error::NotFound { .. } => Ok(()),
            error => Err(error.into()),
        })
    }
}
