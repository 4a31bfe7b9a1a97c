//! Errors of the command-api: every reason for which a request is refused or fails, as a problem.

use axum::response::{IntoResponse, Response};
use taskfold_attachments::StoreError;
use taskfold_attachments::uploads::{BodyError, UploadError};
use taskfold_commands::{CommandError, VersionConflict};
use taskfold_domain::Refusal;
use taskfold_web::{Code, Problem};

use super::attachments::body;

/// Reason for which a request was refused or failed.
#[derive(Debug)]
pub struct ApiError(Box<Problem>);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl ApiError {
    pub fn into_problem(self) -> Problem {
        *self.0
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Problem::from(refusal).into()
    }
}

impl From<CommandError> for ApiError {
    fn from(error: CommandError) -> Self {
        of_command(error).into()
    }
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        body::problem(error).into()
    }
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        of_upload(error).into()
    }
}

fn of_command(error: CommandError) -> Problem {
    match error {
        CommandError::Refused(refusal) => refusal.into(),
        CommandError::Conflict(conflict) => of_conflict(*conflict),
        CommandError::KeyReused => {
            Problem::new(Code::IdempotencyKeyReused, "The key was sent before with another request")
        }
        CommandError::Contended => Problem::unavailable("This task"),
        CommandError::Unavailable(cause) => {
            tracing::warn!(cause, "a command could not be appended");
            Problem::unavailable("The log")
        }
        CommandError::Unanswered { command_id, cause } => {
            tracing::warn!(cause, %command_id, "the outcome of a command is unknown");
            let detail = "The log did not respond in time, so the command may have been applied. Repeat the request \
                          with this `command_id` as its `Idempotency-Key`: it is then applied once";
            Problem::new(Code::Unavailable, detail).with("command_id", command_id.to_string()).retry_after(1)
        }
        CommandError::Suspended | CommandError::Forked => {
            let detail = "The log accepts no commands: it has lost events, and an operator must adopt or restore it";
            Problem::new(Code::Unavailable, detail).retry_after(30)
        }
        CommandError::OtherLog => Problem::unavailable("The log"),
        CommandError::Incomplete => {
            let detail = "The side tables of the log are incomplete, and an operator must repair them";
            Problem::new(Code::Unavailable, detail).retry_after(30)
        }
        CommandError::Broken(cause) => Problem::internal(&cause),
        CommandError::OutOfScope => Problem::new(Code::Forbidden, "This API token is restricted to one project"),
    }
}

fn of_conflict(conflict: VersionConflict) -> Problem {
    Problem::new(Code::VersionConflict, "It was changed after the version on which the command is based")
        .with("current_version", conflict.current_version)
        .with("base_version", conflict.base_version)
        .with("conflicting_fields", conflict.conflicting_fields)
        .with("your_change", conflict.your_change)
        .with("conflicting_events", conflict.conflicting_events)
}

fn of_upload(error: UploadError) -> Problem {
    match error {
        UploadError::TooLarge { limit } => {
            Problem::new(Code::PayloadTooLarge, format!("An attachment may have at most {limit} bytes"))
                .with("limit", limit)
        }
        UploadError::QuotaExceeded { quota, used, size } => {
            let detail = format!(
                "The attachments of a project may have at most {quota} bytes, of which {used} are used: the file of \
                 {size} bytes does not fit"
            );
            Problem::new(Code::QuotaExceeded, detail).with("quota", quota).with("used", used).with("size", size)
        }
        UploadError::TooManyAtOnce => Problem::unavailable("A slot for another upload"),
        UploadError::TooManyOfUser { max } => {
            let detail = format!("A user has at most {max} uploads at one time: wait until one of yours has ended");
            Problem::new(Code::RateLimited, detail).retry_after(1)
        }
        UploadError::Abandoned => Problem::unavailable("The upload"),
        UploadError::AtAnotherOffset => Problem::new(
            Code::UploadOffset,
            "The upload is at another offset, or another request is writing to it: get its offset first",
        ),
        UploadError::BeyondDeclaredLength => {
            Problem::new(Code::PayloadTooLarge, "The body exceeds the declared length of the upload")
        }
        UploadError::ChecksumMismatch => {
            Problem::new(Code::ChecksumMismatch, "The body does not match its Upload-Checksum, and was discarded")
        }
        UploadError::Body(error) => body::problem(error),
        UploadError::Store(StoreError::NotFound) => Problem::internal(&"the stored bytes of an upload do not exist"),
        UploadError::Store(StoreError::Unavailable(cause)) => {
            tracing::warn!(cause, "an attachment could not be stored");
            Problem::unavailable("The store of attachments")
        }
        UploadError::Database(error) => {
            tracing::warn!(%error, "the table of uploads is unavailable");
            Problem::unavailable("The database")
        }
    }
}
