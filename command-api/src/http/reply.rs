use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{ETAG, LOCATION};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;
use taskfold_domain::Change;
use taskfold_web::headers::{IDEMPOTENCY_REPLAYED, POSITION};
use utoipa::ToSchema;
use uuid::Uuid;

use taskfold_commands::Done;

/// What came of a command: the same Changes as in the feed, so that a client needs one reducer.
#[derive(Serialize, ToSchema)]
pub struct CommandReply {
    /// Of the task or project.
    id: Uuid,
    /// Of the new comment, column, label, checklist, item or member inside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    created_id: Option<Uuid>,
    /// Counts all events of the task or project.
    #[schema(example = 7)]
    version: u64,
    /// Of the last event; a read with `Taskfold-Min-Position` of it sees the command's effect.
    #[schema(example = 1042)]
    position: i64,
    /// Empty when everything was so already.
    #[schema(value_type = Vec<Change>)]
    events: Vec<Box<RawValue>>,
}

/// A reply with its headers: 201 and `Location` when something was made, else 200.
pub struct Reply {
    done: Done,
    location: String,
}

impl Reply {
    /// `location` of what was made, given the reply's ids.
    pub fn at(done: Done, location: impl FnOnce(&Done, Uuid) -> String) -> Self {
        let made = done.created_id.unwrap_or(done.id);
        Self { location: location(&done, made), done }
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
