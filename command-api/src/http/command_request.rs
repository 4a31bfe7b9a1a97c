//! Command requests: the caller, and the headers of every command.

use axum::extract::FromRequestParts;
use http::request::Parts;
use taskfold_commands::Envelope;
use taskfold_domain::ids::ProjectId;
use taskfold_web::headers::{IdempotencyKey, IfMatch, Traceparent};
use taskfold_web::{Caller, Problem};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::http::app::App;

/// A request with a command, from a caller who may send commands.
pub struct CommandRequest {
    pub caller: Caller,
    key: IdempotencyKey,
    /// Id of the command: the key, or a new id.
    command_id: Uuid,
    if_match: IfMatch,
    traceparent: Traceparent,
}

/// Headers of every command.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "documents the headers; `CommandRequest` reads them")]
pub struct CommandHeaders {
    /// Id of the command, a UUID that the client chooses. The same command with the same id has the same result, even
    /// days later.
    #[param(rename = "Idempotency-Key", value_type = Option<uuid::Uuid>)]
    idempotency_key: Option<String>,
    /// Version on which the change is based, in quotes; 412 if there were edits since.
    #[param(rename = "If-Match", example = "\"7\"")]
    if_match: Option<String>,
    /// `handling=lenient`: with `If-Match`, the command is also applied if the edits since do not conflict with it.
    #[param(rename = "Prefer", example = "handling=lenient")]
    prefer: Option<String>,
}

impl FromRequestParts<App> for CommandRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, app).await?;
        caller.must_write()?;
        let key = IdempotencyKey::from_request_parts(parts, app).await?;
        Ok(Self {
            caller,
            command_id: key.0.unwrap_or_else(|| app.clock.new_id()),
            key,
            if_match: IfMatch::from_request_parts(parts, app).await?,
            traceparent: parts.extensions.get::<Traceparent>().cloned().ok_or_else(untraced)?,
        })
    }
}

/// The error of a request that did not pass through the layer that gives each a trace.
fn untraced() -> Problem {
    Problem::internal(&"a command request without a trace")
}

impl CommandRequest {
    pub fn envelope(self) -> Envelope {
        Envelope {
            may_be_replayed: self.key.0.is_some(),
            precondition: self.if_match.0,
            traceparent: Some(self.traceparent.as_str().to_owned()),
            only: self.caller.scope.project,
            ..Envelope::new(self.caller.user_id, self.command_id)
        }
    }

    /// Envelope of a command that creates a task in `project`.
    pub fn envelope_in(self, project: ProjectId) -> Envelope {
        Envelope { project_id: Some(project), ..self.envelope() }
    }
}
