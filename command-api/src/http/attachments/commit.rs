use taskfold_attachments::uploads::receiving::discard;
use taskfold_attachments::uploads::{File, UploadError, Uploads, rows};
use taskfold_attachments::{StoreError, Whole, Writer};
use taskfold_commands::{CommandError, Done, Engine, Envelope};
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::{AttachmentId, TaskId};
use taskfold_domain::input::{FileSize, Sha256Hex};
use taskfold_domain::task::commands::AttachFile;
use taskfold_event_log::deadline::{REQUEST, within};
use taskfold_web::Problem;
use uuid::Uuid;

use super::declared::to_hex;
use crate::http::error::ApiError;

/// The command for a file with these bytes.
fn command(id: AttachmentId, file: &File, whole: &Whole) -> Result<TaskCommand, CommandError> {
    let unfit = |error: taskfold_domain::input::InvalidInput| CommandError::Broken(error.to_string());
    Ok(TaskCommand::Attach(AttachFile {
        id,
        file_name: file.name.clone(),
        content_type: file.content_type.clone(),
        size: FileSize::try_from(whole.size).map_err(unfit)?,
        sha256: Sha256Hex::try_from(to_hex(&whole.sha256)).map_err(unfit)?,
    }))
}

/// Whether a file might be attached, before any of it is there.
pub async fn may_attach(engine: &Engine, task: TaskId, envelope: &Envelope) -> Result<(), CommandError> {
    let any = File {
        name: taskfold_domain::input::FileName::cleaned(""),
        content_type: taskfold_domain::input::ContentType::cleaned(None),
    };
    engine.would_take(task, &command(AttachmentId(Uuid::nil()), &any, &Whole::default())?, envelope).await
}

/// Makes the attachment of bytes that are stored whole. They stay if the log has it, and go if it was refused; when that
/// cannot be known now, the janitor will know.
pub async fn commit(
    engine: &Engine,
    uploads: &Uploads,
    task: TaskId,
    id: AttachmentId,
    (file, whole): (&File, &Whole),
    envelope: Envelope,
) -> Result<Done, CommandError> {
    let done = engine.task(task, command(id, file, whole)?, envelope).await;
    match &done {
        Ok(done) if done.created_id == Some(id.0) => {
            if let Err(error) = within(REQUEST, rows::attached(&uploads.pool, id, done.position)).await {
                tracing::warn!(%error, attachment_id = %id, "the end of an upload is left to the janitor");
            }
        }
        // The same command was done before, with bytes of its own.
        Ok(_) => discard(uploads, id).await,
        Err(error) if !error.is_open() => discard(uploads, id).await,
        Err(_) => {}
    }
    done
}

/// Makes the attachment of an upload that is complete. Whoever has missed the answer may ask again: it is the same command.
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
    if !within(REQUEST, rows::committing(&uploads.pool, id)).await.map_err(UploadError::from)? {
        return finished_by_another().await;
    }
    let mut writer = match Writer::resume(uploads.store.clone(), id, &upload.progress()).await {
        Ok(writer) => writer,
        // Two who have missed the answer ask at once, and the other one is through.
        Err(StoreError::NotFound) => return finished_by_another().await,
        Err(error) => return Err(UploadError::from(error).into()),
    };
    let whole = writer.finish().await.map_err(UploadError::from)?;
    let envelope = Envelope { command_id: upload.command_id, may_be_replayed: true, ..envelope };
    let done = commit(engine, uploads, task, id, (&upload.file(), &whole), envelope).await?;
    if let Err(error) = uploads.store.remove_tails(id).await {
        tracing::warn!(%error, attachment_id = %id, "the unfinished part of an upload stays until it is removed");
    }
    Ok(done)
}
