//! An upload in a single request, which leaves nothing behind if it breaks off.

use bytes::Bytes;
use taskfold_domain::ids::AttachmentId;
use taskfold_event_log::deadline::{REQUEST, within};
use tokio::time::{Duration, Instant};

use super::{AttachRequest, Target, UploadError, Uploads, rows};
use crate::slots::Slot;
use crate::{StoredFile, Writer};

/// Interval at which a long upload renews its row. The janitor removes uploads whose row was not renewed for a day.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(60);

/// An upload that is being received. Its bytes are removed when it is dropped before [`SingleUpload::keep`]: the
/// connection, and with it the request, may end at any await.
pub struct SingleUpload {
    uploads: Uploads,
    pub id: AttachmentId,
    target: Target,
    writer: Option<Writer>,
    renewed: Instant,
    _slot: Slot,
}

impl SingleUpload {
    /// `declared`: size of the file, if it is known.
    pub async fn begin(
        uploads: &Uploads,
        target: Target,
        request: AttachRequest,
        declared: Option<u64>,
    ) -> Result<Self, UploadError> {
        let slot = uploads.slot(request.user)?;
        let id = AttachmentId(uploads.clock.new_id());
        within(REQUEST, rows::begin(uploads, id, target, request, declared.unwrap_or_default())).await?;
        Ok(Self {
            uploads: uploads.clone(),
            id,
            target,
            writer: Some(Writer::new(uploads.store.clone(), id)),
            renewed: Instant::now(),
            _slot: slot,
        })
    }

    pub async fn push(&mut self, bytes: Bytes) -> Result<(), UploadError> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        if writer.size() + bytes.len() as u64 > self.uploads.limit {
            return Err(UploadError::TooLarge { limit: self.uploads.limit });
        }
        writer.push(bytes).await?;
        if self.renewed.elapsed() > RENEWAL_INTERVAL {
            self.renewed = Instant::now();
            within(REQUEST, rows::renew(&self.uploads.pool, self.id)).await?;
        }
        Ok(())
    }

    /// Stores the last bytes.
    pub async fn finish(&mut self) -> Result<StoredFile, UploadError> {
        match &mut self.writer {
            Some(writer) => Ok(writer.finish().await?),
            None => Ok(StoredFile::default()),
        }
    }

    /// Keeps the bytes when the request ends. From now on, the log decides whether they stay, because the append may be
    /// under way.
    pub async fn keep(mut self) -> Result<AttachmentId, UploadError> {
        let size = self.writer.as_ref().map_or(0, Writer::size);
        if !within(REQUEST, rows::start_commit(&self.uploads, self.id, self.target, size)).await? {
            return Err(UploadError::Abandoned);
        }
        self.writer = None;
        Ok(self.id)
    }

    /// Removes the bytes before the refusal is sent.
    pub async fn discard(mut self) {
        if let Some(writer) = self.writer.take() {
            remove(self.uploads.clone(), self.id, writer).await;
        }
    }
}

impl Drop for SingleUpload {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            tokio::spawn(remove(self.uploads.clone(), self.id, writer));
        }
    }
}

async fn remove(uploads: Uploads, id: AttachmentId, mut writer: Writer) {
    // Otherwise a part that is still being written would be stored after the removal.
    let _ = writer.settle().await;
    discard(&uploads, id).await;
}

/// Removes the bytes, and then the row that states that there may be bytes. The janitor removes what fails here.
pub async fn discard(uploads: &Uploads, id: AttachmentId) {
    if let Err(error) = uploads.store.remove(id).await {
        tracing::warn!(%error, attachment_id = %id, "the bytes of an upload are left to the janitor");
        return;
    }
    if let Err(error) = within(REQUEST, rows::release(&uploads.pool, id)).await {
        tracing::warn!(%error, attachment_id = %id, "the row of an upload is left to the janitor");
    }
}
