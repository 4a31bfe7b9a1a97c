use taskfold_attachments::Whole;
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::{AttachmentId, TaskId};
use taskfold_domain::input::{FileSize, Sha256Hex};
use taskfold_domain::task::commands::AttachFile;
use taskfold_event_log::deadline::{REQUEST, within};
use uuid::Uuid;

use super::announced::to_hex;
use super::receiving::discard;
use super::{Attachments, File, uploads};
use crate::engine::{CommandError, Done, Engine, Envelope};

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
    attachments: &Attachments,
    task: TaskId,
    id: AttachmentId,
    (file, whole): (&File, &Whole),
    envelope: Envelope,
) -> Result<Done, CommandError> {
    let done = engine.task(task, command(id, file, whole)?, envelope).await;
    match &done {
        Ok(done) if done.created_id == Some(id.0) => {
            if let Err(error) = within(REQUEST, uploads::attached(&attachments.pool, id, done.position)).await {
                tracing::warn!(%error, attachment_id = %id, "the end of an upload is left to the janitor");
            }
        }
        // The same command was done before, with bytes of its own.
        Ok(_) => discard(attachments, id).await,
        Err(error) if !error.is_open() => discard(attachments, id).await,
        Err(_) => {}
    }
    done
}
