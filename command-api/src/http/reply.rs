//! Responses to commands.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{ETAG, LOCATION};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;
use taskfold_commands::Done;
use taskfold_domain::Change;
use taskfold_web::headers::{IDEMPOTENCY_REPLAYED, POSITION};
use utoipa::ToSchema;
use uuid::Uuid;

/// The result of a command. Its Changes are the same as in the feed, so that a client needs only one reducer.
#[derive(Serialize, ToSchema)]
pub struct CommandReply {
    /// Id of the task, project or team.
    id: Uuid,
    /// Id of the new comment, column, label, checklist, item or member inside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_id: Option<Uuid>,
    /// Number of events of the task, project or team.
    #[schema(example = 7)]
    version: u64,
    /// Position of the last event. A read with this `Taskfold-Min-Position` reflects the command.
    #[schema(example = 1042)]
    position: i64,
    /// Empty if the command changed nothing.
    #[schema(value_type = Vec<Change>)]
    events: Vec<Box<RawValue>>,
}

/// A result with its headers: 201 and `Location` if something was created, otherwise 200.
pub struct Reply {
    done: Done,
    location: String,
}

impl Reply {
    /// `location`: path of the created object, from the result and the id of the object.
    pub fn created_at(done: Done, location: impl FnOnce(&Done, Uuid) -> String) -> Self {
        let created = done.created_id.unwrap_or(done.id);
        Self { location: location(&done, created), done }
    }
}

impl From<Done> for Reply {
    fn from(done: Done) -> Self {
        Self { done, location: String::new() }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let Self { done, location } = self;
        let created = done.created && !location.is_empty();
        let body = CommandReply {
            id: done.id,
            created_id: done.created_id,
            version: done.version,
            position: done.position,
            events: done.events,
        };
        let status = if created { StatusCode::CREATED } else { StatusCode::OK };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        if let Ok(etag) = HeaderValue::from_str(&format!("\"{}\"", done.version)) {
            headers.insert(ETAG, etag);
        }
        headers.insert(HeaderName::from_static(POSITION), done.position.into());
        if done.replayed {
            headers.insert(HeaderName::from_static(IDEMPOTENCY_REPLAYED), HeaderValue::from_static("true"));
        }
        if created && let Ok(location) = HeaderValue::from_str(&location) {
            headers.insert(LOCATION, location);
        }
        response
    }
}
