use axum::body::Body;
use taskfold_attachments::{PART_BYTES, Progress, StoreError, Writer};
use taskfold_domain::ids::{AttachmentId, TaskId};
use taskfold_event_log::deadline::{REQUEST, within};
use taskfold_openapi::{Code, Problem, clock};
use uuid::Uuid;

use super::checksum::Checksum;
use super::uploads::{self, Upload};
use super::{Attachments, body, commit, database_problem, store_problem};
use crate::engine::{Done, Engine, Envelope};

/// Takes a body at the upload's offset until it ends, breaks off or has all of the file. What came in is kept, so that the
/// next request goes on behind it: each whole part at once, which a killed process has not lost, and the rest at the end. With a
/// checksum, all of it is kept or nothing, and what does not come to it is refused.
pub async fn receive(
    attachments: Attachments,
    upload: Upload,
    body: Body,
    checksum: Option<Checksum>,
) -> Result<(), Problem> {
    let (id, start) = (upload.id(), upload.progress());
    let request = clock::new_id();
    if !within(REQUEST, uploads::take_over(&attachments.pool, id, start.size, request))
        .await
        .map_err(database_problem)?
    {
        return Err(elsewhere());
    }
    let writer = Writer::resume(attachments.store.clone(), id, &start).await.map_err(store_problem)?;
    let (length, saved) = (upload.length as u64, start.size);
    let mut receiver = Receiver { attachments, id, request, length, writer, saved, checksum };
    let taken = receiver.take(body).await;
    let saved = match &taken {
        // What is stored of it is written over by the next request, or goes with the upload.
        Err(_) if receiver.checksum.is_some() => receiver.writer.settle().await.map_err(store_problem),
        _ => receiver.save().await,
    };
    if saved.is_err() || taken.is_err() {
        receiver.leave_nothing_that_was_ended().await;
    }
    saved.and(taken)
}

struct Receiver {
    attachments: Attachments,
    id: AttachmentId,
    request: Uuid,
    length: u64,
    writer: Writer,
    /// Up to where the database knows.
    saved: u64,
    checksum: Option<Checksum>,
}

impl Receiver {
    async fn take(&mut self, mut body: Body) -> Result<(), Problem> {
        while let Some(mut bytes) = body::next(&mut body).await? {
            if self.writer.size() + bytes.len() as u64 > self.length {
                let detail = "The body goes beyond the length that was announced";
                return Err(Problem::new(Code::PayloadTooLarge, detail));
            }
            if let Some(checksum) = &mut self.checksum {
                checksum.update(&bytes);
            }
            while !bytes.is_empty() {
                let room = PART_BYTES - (self.writer.size() % PART_BYTES as u64) as usize;
                let filled = self.writer.push(bytes.split_to(bytes.len().min(room))).await.map_err(store_problem)?;
                if filled && self.checksum.is_none() {
                    self.save().await?;
                }
            }
        }
        match &self.checksum {
            Some(checksum) if !checksum.clone().is_right() => {
                let detail = "The body does not come to its Upload-Checksum: nothing of it is kept";
                Err(Problem::new(Code::ChecksumMismatch, detail))
            }
            _ => Ok(()),
        }
    }

    async fn save(&mut self) -> Result<(), Problem> {
        if self.saved == self.writer.size() {
            return Ok(());
        }
        let progress: Progress = self.writer.save().await.map_err(store_problem)?;
        let ours = within(REQUEST, uploads::advance(&self.attachments.pool, self.id, self.request, &progress)).await;
        if !ours.map_err(database_problem)? {
            return Err(elsewhere());
        }
        self.writer.forget(self.saved).await.map_err(store_problem)?;
        self.saved = progress.size;
        Ok(())
    }
}

impl Receiver {
    /// The upload may have been ended meanwhile, and what was there of it taken away: so must be what was written since.
    async fn leave_nothing_that_was_ended(&mut self) {
        let is_there = within(REQUEST, uploads::is_there(&self.attachments.pool, self.id)).await;
        if matches!(is_there, Ok(false)) {
            let _ = self.writer.settle().await;
            if let Err(error) = self.attachments.store.remove(self.id).await {
                tracing::error!(%error, attachment_id = %self.id, "bytes of an upload that was ended stay in the store");
            }
        }
    }
}

pub fn elsewhere() -> Problem {
    Problem::new(
        Code::UploadOffset,
        "The upload is at another offset, or another request goes on with it: ask where it is",
    )
}

/// Makes the attachment of an upload that is complete. Whoever has missed the answer may ask again: it is the same command.
pub async fn finish(
    engine: &Engine,
    attachments: &Attachments,
    task: TaskId,
    upload: &Upload,
    envelope: Envelope,
) -> Result<Done, Problem> {
    let id = upload.id();
    let finished_by_another = async || {
        let done = engine.sent_before(envelope.actor, upload.command_id).await?;
        done.filter(|done| done.created_id == Some(id.0)).ok_or_else(Problem::not_found)
    };
    if !within(REQUEST, uploads::committing(&attachments.pool, id)).await.map_err(database_problem)? {
        return finished_by_another().await;
    }
    let mut writer = match Writer::resume(attachments.store.clone(), id, &upload.progress()).await {
        Ok(writer) => writer,
        // Two who have missed the answer ask at once, and the other one is through.
        Err(StoreError::NotFound) => return finished_by_another().await,
        Err(error) => return Err(store_problem(error)),
    };
    let whole = writer.finish().await.map_err(store_problem)?;
    let envelope = Envelope { command_id: upload.command_id, may_be_replayed: true, ..envelope };
    let done = commit(engine, attachments, task, id, (&upload.file(), &whole), envelope).await?;
    if let Err(error) = attachments.store.remove_tails(id).await {
        tracing::warn!(%error, attachment_id = %id, "the unfinished part of an upload stays until it is removed");
    }
    Ok(done)
}
