//! Attaching of stored files.

use taskfold_attachments::uploads::single::discard;
use taskfold_attachments::uploads::{File, Target, UploadError, Uploads, rows};
use taskfold_attachments::{StoreError, StoredFile, Writer};
use taskfold_commands::{CommandError, Done, Engine, Envelope};
use taskfold_domain::ids::{AttachmentId, TaskId};
use taskfold_domain::input::{FileSize, Sha256Hex};
use taskfold_domain::task::commands::AttachFile;
use taskfold_domain::{Refusal, Task, TaskCommand};
use taskfold_event_log::deadline::{REQUEST, within};
use taskfold_web::Problem;
use uuid::Uuid;

use super::declared::to_hex;
use crate::http::error::ApiError;

/// The command that attaches a file.
fn command(id: AttachmentId, file: &File, stored: &StoredFile) -> Result<TaskCommand, CommandError> {
    let invalid = |error: taskfold_domain::input::InvalidInput| CommandError::Broken(error.to_string());
    Ok(TaskCommand::Attach(AttachFile {
        id,
        file_name: file.name.clone(),
        content_type: file.content_type.clone(),
        size: FileSize::try_from(stored.size).map_err(invalid)?,
        sha256: Sha256Hex::try_from(to_hex(&stored.sha256)).map_err(invalid)?,
    }))
}

/// Checks that the caller may attach a file, before the file arrives. Returns the task and its project.
pub async fn may_attach(engine: &Engine, task: TaskId, envelope: &Envelope) -> Result<Target, CommandError> {
    let any = File {
        name: taskfold_domain::input::FileName::cleaned(""),
        content_type: taskfold_domain::input::ContentType::cleaned(None),
    };
    let attach = command(AttachmentId(Uuid::nil()), &any, &StoredFile::default())?;
    let task_now = engine.would_take(task, &attach, envelope).await?;
    target(task, &task_now)
}

fn target(id: TaskId, task: &Task) -> Result<Target, CommandError> {
    let fields = task.fields().ok_or(Refusal::NotFound)?;
    Ok(Target { project: fields.project_id, task: id })
}

/// Attaches a file that is stored completely. Its bytes are removed if the command was refused. If the outcome is not
/// known, the janitor decides by the log.
pub async fn commit(
    engine: &Engine,
    uploads: &Uploads,
    task: TaskId,
    id: AttachmentId,
    (file, stored): (&File, &StoredFile),
    envelope: Envelope,
) -> Result<Done, CommandError> {
    let done = engine.task(task, command(id, file, stored)?, envelope).await;
    match &done {
        Ok(done) if done.created_id == Some(id.0) => {
            if let Err(error) = within(REQUEST, rows::set_attached(&uploads.pool, id, done.position)).await {
                tracing::warn!(%error, attachment_id = %id, "the row of an upload is left to the janitor");
            }
        }
        // The same command was done before, with another copy of the file.
        Ok(_) => discard(uploads, id).await,
        Err(error) if !error.is_open() => discard(uploads, id).await,
        Err(_) => {}
    }
    done
}

/// Attaches a complete upload. Clients that have missed the response may repeat the request: it is the same command.
pub async fn finish(
    engine: &Engine,
    uploads: &Uploads,
    task: TaskId,
    upload: &rows::Upload,
    envelope: Envelope,
) -> Result<Done, ApiError> {
    let id = upload.id();
    let finished_by_another = async || {
        let done = engine.sent_before(envelope.actor, upload.command_id).await?;
        done.filter(|done| done.created_id == Some(id.0)).ok_or_else(|| Problem::not_found().into())
    };
    let task_now = engine.load_task(task).await?;
    let target = target(task, &task_now)?;
    if !within(REQUEST, rows::start_commit(uploads, id, target, upload.progress().size)).await? {
        return finished_by_another().await;
    }
    let mut writer = match Writer::resume(uploads.store.clone(), id, &upload.progress()).await {
        Ok(writer) => writer,
        // Another request that finishes the same upload was faster.
        Err(StoreError::NotFound) => return finished_by_another().await,
        Err(error) => return Err(UploadError::from(error).into()),
    };
    let stored = writer.finish().await.map_err(UploadError::from)?;
    let envelope = Envelope { command_id: upload.command_id, may_be_replayed: true, ..envelope };
    let done = commit(engine, uploads, task, id, (&upload.file(), &stored), envelope).await?;
    if let Err(error) = uploads.store.remove_tails(id).await {
        tracing::warn!(%error, attachment_id = %id, "the unfinished part of an upload is left to the janitor");
    }
    Ok(done)
}
