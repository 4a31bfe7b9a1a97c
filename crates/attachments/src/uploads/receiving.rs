use bytes::Bytes;
use taskfold_domain::ids::{AttachmentId, TaskId};
use taskfold_event_log::clock;
use taskfold_event_log::deadline::{REQUEST, within};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Duration, Instant};

use super::{AttachRequest, UploadError, Uploads, rows};
use crate::{Whole, Writer};

/// How often a long upload says that it is alive; the janitor takes those for dead that have been silent for a day.
const TOUCH: Duration = Duration::from_secs(60);

/// A file on its way in. Dropped before [`Receiving::keep`], it takes away what was stored of it: the connection may break,
/// and the request with it, at any await.
pub struct Receiving {
    uploads: Uploads,
    pub id: AttachmentId,
    writer: Option<Writer>,
    touched: Instant,
    _slot: OwnedSemaphorePermit,
}

impl Receiving {
    pub async fn begin(uploads: &Uploads, task: TaskId, request: AttachRequest) -> Result<Self, UploadError> {
        let slot = uploads.slot()?;
        let id = AttachmentId(clock::new_id());
        within(REQUEST, rows::begin(&uploads.pool, id, task, request)).await?;
        Ok(Self {
            uploads: uploads.clone(),
            id,
            writer: Some(Writer::new(uploads.store.clone(), id)),
            touched: Instant::now(),
            _slot: slot,
        })
    }

    pub async fn take(&mut self, bytes: Bytes) -> Result<(), UploadError> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        if writer.size() + bytes.len() as u64 > self.uploads.limit {
            return Err(UploadError::TooLarge { limit: self.uploads.limit });
        }
        writer.push(bytes).await?;
        if self.touched.elapsed() > TOUCH {
            self.touched = Instant::now();
            within(REQUEST, rows::touch(&self.uploads.pool, self.id)).await?;
        }
        Ok(())
    }

    /// Stores what is left of it.
    pub async fn whole(&mut self) -> Result<Whole, UploadError> {
        let mut whole = Whole::default();
        if let Some(writer) = &mut self.writer {
            whole = writer.finish().await?;
        }
        Ok(whole)
    }

    /// From here on the log says whether the bytes stay: whatever happens to the request, the append may be on its way.
    pub async fn keep(mut self) -> Result<AttachmentId, UploadError> {
        if !within(REQUEST, rows::committing(&self.uploads.pool, self.id)).await? {
            return Err(UploadError::Abandoned);
        }
        self.writer = None;
        Ok(self.id)
    }

    /// Takes away what was stored, before the refusal is answered.
    pub async fn discard(mut self) {
        if let Some(writer) = self.writer.take() {
            remove(self.uploads.clone(), self.id, writer).await;
        }
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            tokio::spawn(remove(self.uploads.clone(), self.id, writer));
        }
    }
}

async fn remove(uploads: Uploads, id: AttachmentId, mut writer: Writer) {
    // A part that is being written would come after the removal.
    let _ = writer.settle().await;
    discard(&uploads, id).await;
}

/// Takes away the bytes and then the row that says they may be there. What fails is left to the janitor.
pub async fn discard(uploads: &Uploads, id: AttachmentId) {
    if let Err(error) = uploads.store.remove(id).await {
        tracing::warn!(%error, attachment_id = %id, "what is left of an upload stays until the janitor comes");
        return;
    }
    if let Err(error) = within(REQUEST, rows::remove(&uploads.pool, id)).await {
        tracing::warn!(%error, attachment_id = %id, "what is left of an upload stays until the janitor comes");
    }
}
