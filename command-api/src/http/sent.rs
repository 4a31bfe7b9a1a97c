use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use taskfold_domain::ids::ProjectId;
use taskfold_event_log::clock;
use taskfold_web::auth::Verifier;
use taskfold_web::headers::{IdempotencyKey, IfMatch, traceparent};
use taskfold_web::{Caller, Problem};
use utoipa::IntoParams;

use taskfold_commands::Envelope;

/// Who sends a command, and may, and the headers that go with it.
pub struct Sent {
    pub caller: Caller,
    key: IdempotencyKey,
    if_match: IfMatch,
    traceparent: String,
}

/// The headers of every command.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "documents the headers; `Sent` reads them")]
pub struct CommandHeaders {
    /// The command's id, a UUID of the caller's choice: the same again answers the same result, also after days.
    #[param(rename = "Idempotency-Key", value_type = Option<uuid::Uuid>)]
    idempotency_key: Option<String>,
    /// The version that the change is based on, quoted: 412 if it was edited since.
    #[param(rename = "If-Match", example = "\"7\"")]
    if_match: Option<String>,
    /// `handling=lenient`: with `If-Match`, applied also if nothing that it touches was touched since.
    #[param(rename = "Prefer", example = "handling=lenient")]
    prefer: Option<String>,
}

impl<S> FromRequestParts<S> for Sent
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        caller.must_write()?;
        Ok(Self {
            caller,
            key: IdempotencyKey::from_request_parts(parts, state).await?,
            if_match: IfMatch::from_request_parts(parts, state).await?,
            traceparent: traceparent(&parts.headers),
        })
    }
}

impl Sent {
    pub fn envelope(self) -> Envelope {
        Envelope {
            may_be_replayed: self.key.0.is_some(),
            precondition: self.if_match.0,
            traceparent: Some(self.traceparent),
            only: self.caller.scope.project,
            ..Envelope::new(self.caller.user_id, self.key.0.unwrap_or_else(clock::new_id))
        }
    }

    /// For creating a task in `project`.
    pub fn envelope_in(self, project: ProjectId) -> Envelope {
        Envelope { project_id: Some(project), ..self.envelope() }
    }
}
