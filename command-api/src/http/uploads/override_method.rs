//! `POST` of an upload with `X-HTTP-Method-Override`: another method, for clients that can send no other.

use axum::extract::{FromRequestParts as _, Request, State};
use axum::response::{IntoResponse as _, Response};
use taskfold_domain::ids::{AttachmentId, TaskId};
use taskfold_web::headers::one;
use taskfold_web::read::{Path, Query};
use taskfold_web::{Code, Problem};

use super::get::NoParams;
use super::{append, get, remove};
use crate::http::app::App;
use crate::http::command_request::CommandRequest;
use crate::http::error::ApiError;

const OVERRIDE: &str = "x-http-method-override";

/// Handle `POST` as the method in `X-HTTP-Method-Override`: `PATCH`, `DELETE` or `HEAD`. Part of the tus protocol, and
/// therefore not in the document.
pub async fn handler(
    State(app): State<App>,
    Path(ids): Path<(TaskId, AttachmentId)>,
    request: Request,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let sent = CommandRequest::from_request_parts(&mut parts, &app).await?;
    let (app, ids, headers) = (State(app), Path(ids), parts.headers.clone());
    match one(&headers, OVERRIDE)? {
        Some("PATCH") => append::handler(app, sent, ids, Request::from_parts(parts, body)).await,
        Some("DELETE") => remove::handler(app, sent, ids, headers).await.map(|status| status.into_response()),
        Some("HEAD") => get::handler(app, sent, ids, Query(NoParams {}), headers).await,
        Some(_) | None => {
            Err(Problem::new(Code::MethodNotAllowed, "Send X-HTTP-Method-Override: PATCH, DELETE or HEAD").into())
        }
    }
}
