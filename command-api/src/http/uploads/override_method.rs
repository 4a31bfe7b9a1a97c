use axum::extract::{FromRequestParts as _, Request, State};
use axum::response::{IntoResponse as _, Response};
use taskfold_domain::ids::{AttachmentId, TaskId};
use taskfold_web::headers::one;
use taskfold_web::read::{Path, Query};
use taskfold_web::{Caller, Code, Problem};

use super::get::NoParams;
use super::{append, get, remove};
use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::sent::Sent;

const OVERRIDE: &str = "x-http-method-override";

/// `POST` in place of `PATCH`, `DELETE` or `HEAD`, for clients that can send nothing else: `X-HTTP-Method-Override` says which is
/// meant. A part of the protocol tus, and so not in the document.
pub async fn handler(
    State(app): State<App>,
    Path(ids): Path<(TaskId, AttachmentId)>,
    request: Request,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let caller = Caller::from_request_parts(&mut parts, &app).await?;
    caller.must_write()?;
    let (app, ids, headers) = (State(app), Path(ids), parts.headers.clone());
    match one(&headers, OVERRIDE)? {
        Some("PATCH") => {
            let sent = Sent::from_request_parts(&mut parts, &app.0).await?;
            append::handler(app, sent, ids, Request::from_parts(parts, body)).await
        }
        Some("DELETE") => remove::handler(app, caller, ids, headers).await.map(|status| status.into_response()),
        Some("HEAD") => {
            let sent = Sent::from_request_parts(&mut parts, &app.0).await?;
            get::handler(app, sent, ids, Query(NoParams {}), headers).await
        }
        _ => Err(Problem::new(Code::MethodNotAllowed, "Say with X-HTTP-Method-Override which method is meant").into()),
    }
}
