//! Errors of reads, and the problems with which they are answered.

use axum::response::{IntoResponse, Response};
use taskfold_event_log::LogError;
use taskfold_web::{Code, Problem};

use taskfold_live::MembershipError;

/// Reason why a read failed.
#[derive(Debug)]
pub struct ReadError(Box<Problem>);

impl ReadError {
    pub fn code(&self) -> Code {
        self.0.code()
    }
}

impl From<Problem> for ReadError {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<sqlx::Error> for ReadError {
    fn from(error: sqlx::Error) -> Self {
        database_problem(&error).into()
    }
}

impl From<MembershipError> for ReadError {
    fn from(error: MembershipError) -> Self {
        match error {
            MembershipError::Database(error) => database_problem(&error).into(),
            MembershipError::ReadModelBehind { position, .. } => {
                Problem::new(Code::ReadModelBehind, error.to_string()).with("position", position).retry_after(1).into()
            }
        }
    }
}

impl From<LogError> for ReadError {
    fn from(error: LogError) -> Self {
        Problem::internal(&error).into()
    }
}

impl From<serde_json::Error> for ReadError {
    fn from(error: serde_json::Error) -> Self {
        Problem::internal(&error).into()
    }
}

impl IntoResponse for ReadError {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

fn database_problem(error: &sqlx::Error) -> Problem {
    if taskfold_event_log::is_unavailable(error) {
        tracing::warn!(%error, "the database is not available");
        return Problem::unavailable("The database");
    }
    Problem::internal(error)
}

/// Maps a value in a cursor that PostgreSQL cannot parse (class 22, data exception) to an invalid cursor: this server
/// did not make it.
pub fn bad_cursor_or(error: sqlx::Error) -> ReadError {
    let data = error.as_database_error().and_then(|e| e.code()).is_some_and(|code| code.starts_with("22"));
    if data { invalid_cursor() } else { error.into() }
}

pub fn invalid_cursor() -> ReadError {
    Problem::invalid_field("/cursor", "must be a cursor of this list, with the same filters and the same order").into()
}

/// Problem for a position that the log has not reached.
pub fn cursor_ahead(head: i64) -> ReadError {
    Problem::new(Code::CursorAhead, format!("The log ends at position {head}; read again and start there"))
        .with("head", head)
        .into()
}
