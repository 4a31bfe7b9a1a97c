use axum::response::{IntoResponse, Response};
use taskfold_event_log::LogError;
use taskfold_web::{Code, Problem};

use taskfold_live::NotKnown;

/// Why a read was not answered.
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
        of_database(&error).into()
    }
}

impl From<NotKnown> for ReadError {
    fn from(error: NotKnown) -> Self {
        match error {
            NotKnown::Unread(error) => of_database(&error).into(),
            NotKnown::Behind { position, .. } => {
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

fn of_database(error: &sqlx::Error) -> Problem {
    if taskfold_event_log::is_unavailable(error) {
        tracing::warn!(%error, "the database is not available");
        return Problem::unavailable("The database");
    }
    Problem::internal(error)
}

/// A value in a cursor that PostgreSQL cannot read back (class 22, data exception): nobody of ours made that cursor.
pub fn bad_cursor_or(error: sqlx::Error) -> ReadError {
    let data = error.as_database_error().and_then(|e| e.code()).is_some_and(|code| code.starts_with("22"));
    if data { invalid_cursor() } else { error.into() }
}

pub fn invalid_cursor() -> ReadError {
    Problem::invalid_field("/cursor", "is not a cursor of this list with these filters and this order").into()
}

/// The answer to a position that the log has not reached.
pub fn cursor_ahead(head: i64) -> ReadError {
    Problem::new(Code::CursorAhead, format!("The log ends at {head}: read again and start over"))
        .with("head", head)
        .into()
}
