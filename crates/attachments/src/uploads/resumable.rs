//! An upload in several requests.

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use taskfold_domain::ids::AttachmentId;
use taskfold_event_log::deadline::{REQUEST, within};
use uuid::Uuid;

use super::checksum::Checksum;
use super::rows::{self, Upload};
use super::{BodyError, UploadError, Uploads};
use crate::{PART_BYTES, Progress, Writer};

/// Receives a body at the offset of the upload, until it ends or breaks off. The bytes are kept, so that the next
/// request continues after them: each complete part immediately, so that it survives the process, and the rest at the
/// end. With a checksum, either all bytes are kept or, if they do not match it, none.
pub async fn receive(
    uploads: Uploads,
    upload: Upload,
    body: impl Stream<Item = Result<Bytes, BodyError>>,
    checksum: Option<Checksum>,
) -> Result<(), UploadError> {
    let (id, start) = (upload.id(), upload.progress());
    let request = uploads.clock.new_id();
    if !within(REQUEST, rows::take_over(&uploads.pool, id, start.size, request)).await? {
        return Err(UploadError::AtAnotherOffset);
    }
    let writer = Writer::resume(uploads.store.clone(), id, &start).await?;
    let (length, saved) = (upload.length as u64, start.size);
    let mut receiver = Receiver { uploads, id, request, length, writer, saved, checksum };
    let received = receiver.receive(body).await;
    let saved = match &received {
        // The next request overwrites the stored bytes, or they are removed with the upload.
        Err(_) if receiver.checksum.is_some() => receiver.writer.settle().await.map_err(UploadError::from),
        Ok(()) | Err(_) => receiver.save().await,
    };
    if saved.is_err() || received.is_err() {
        receiver.remove_if_abandoned().await;
    }
    saved.and(received)
}

struct Receiver {
    uploads: Uploads,
    id: AttachmentId,
    request: Uuid,
    length: u64,
    writer: Writer,
    /// Number of bytes that are saved in the database.
    saved: u64,
    checksum: Option<Checksum>,
}

impl Receiver {
    async fn receive(&mut self, body: impl Stream<Item = Result<Bytes, BodyError>>) -> Result<(), UploadError> {
        let mut body = std::pin::pin!(body);
        while let Some(bytes) = body.next().await {
            let mut bytes = bytes?;
            if self.writer.size() + bytes.len() as u64 > self.length {
                return Err(UploadError::BeyondDeclaredLength);
            }
            if let Some(checksum) = &mut self.checksum {
                checksum.update(&bytes);
            }
            while !bytes.is_empty() {
                let free = PART_BYTES - (self.writer.size() % PART_BYTES as u64) as usize;
                let filled = self.writer.push(bytes.split_to(bytes.len().min(free))).await?;
                if filled && self.checksum.is_none() {
                    self.save().await?;
                }
            }
        }
        match &self.checksum {
            Some(checksum) if !checksum.clone().matches() => Err(UploadError::ChecksumMismatch),
            Some(_) | None => Ok(()),
        }
    }

    async fn save(&mut self) -> Result<(), UploadError> {
        if self.saved == self.writer.size() {
            return Ok(());
        }
        let progress: Progress = self.writer.save().await?;
        let is_writer = within(REQUEST, rows::advance(&self.uploads.pool, self.id, self.request, &progress)).await;
        if !is_writer? {
            return Err(UploadError::AtAnotherOffset);
        }
        self.writer.forget(self.saved).await?;
        self.saved = progress.size;
        Ok(())
    }

    /// Removes the bytes that were written after the upload was ended, and its bytes removed.
    async fn remove_if_abandoned(&mut self) {
        let exists = within(REQUEST, rows::exists(&self.uploads.pool, self.id)).await;
        if matches!(exists, Ok(false)) {
            let _ = self.writer.settle().await;
            if let Err(error) = self.uploads.store.remove(self.id).await {
                tracing::error!(%error, attachment_id = %self.id, "bytes of an ended upload remain in the store");
            }
        }
    }
}
