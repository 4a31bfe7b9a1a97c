use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use taskfold_domain::ids::AttachmentId;
use taskfold_event_log::clock;
use taskfold_event_log::deadline::{REQUEST, within};
use uuid::Uuid;

use super::checksum::Checksum;
use super::rows::{self, Upload};
use super::{BodyError, UploadError, Uploads};
use crate::{PART_BYTES, Progress, Writer};

/// Takes a body at the upload's offset until it ends, breaks off or has all of the file. What came in is kept, so that the
/// next request goes on behind it: each whole part at once, which a killed process has not lost, and the rest at the end. With a
/// checksum, all of it is kept or nothing, and what does not come to it is refused.
pub async fn receive(
    uploads: Uploads,
    upload: Upload,
    body: impl Stream<Item = Result<Bytes, BodyError>>,
    checksum: Option<Checksum>,
) -> Result<(), UploadError> {
    let (id, start) = (upload.id(), upload.progress());
    let request = clock::new_id();
    if !within(REQUEST, rows::take_over(&uploads.pool, id, start.size, request)).await? {
        return Err(UploadError::AtAnotherOffset);
    }
    let writer = Writer::resume(uploads.store.clone(), id, &start).await?;
    let (length, saved) = (upload.length as u64, start.size);
    let mut receiver = Receiver { uploads, id, request, length, writer, saved, checksum };
    let taken = receiver.take(body).await;
    let saved = match &taken {
        // What is stored of it is written over by the next request, or goes with the upload.
        Err(_) if receiver.checksum.is_some() => receiver.writer.settle().await.map_err(UploadError::from),
        _ => receiver.save().await,
    };
    if saved.is_err() || taken.is_err() {
        receiver.leave_nothing_that_was_ended().await;
    }
    saved.and(taken)
}

struct Receiver {
    uploads: Uploads,
    id: AttachmentId,
    request: Uuid,
    length: u64,
    writer: Writer,
    /// Up to where the database knows.
    saved: u64,
    checksum: Option<Checksum>,
}

impl Receiver {
    async fn take(&mut self, body: impl Stream<Item = Result<Bytes, BodyError>>) -> Result<(), UploadError> {
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
                let room = PART_BYTES - (self.writer.size() % PART_BYTES as u64) as usize;
                let filled = self.writer.push(bytes.split_to(bytes.len().min(room))).await?;
                if filled && self.checksum.is_none() {
                    self.save().await?;
                }
            }
        }
        match &self.checksum {
            Some(checksum) if !checksum.clone().is_right() => Err(UploadError::ChecksumMismatch),
            _ => Ok(()),
        }
    }

    async fn save(&mut self) -> Result<(), UploadError> {
        if self.saved == self.writer.size() {
            return Ok(());
        }
        let progress: Progress = self.writer.save().await?;
        let ours = within(REQUEST, rows::advance(&self.uploads.pool, self.id, self.request, &progress)).await;
        if !ours? {
            return Err(UploadError::AtAnotherOffset);
        }
        self.writer.forget(self.saved).await?;
        self.saved = progress.size;
        Ok(())
    }
}

impl Receiver {
    /// The upload may have been ended meanwhile, and what was there of it taken away: so must be what was written since.
    async fn leave_nothing_that_was_ended(&mut self) {
        let is_there = within(REQUEST, rows::is_there(&self.uploads.pool, self.id)).await;
        if matches!(is_there, Ok(false)) {
            let _ = self.writer.settle().await;
            if let Err(error) = self.uploads.store.remove(self.id).await {
                tracing::error!(%error, attachment_id = %self.id, "bytes of an upload that was ended stay in the store");
            }
        }
    }
}
