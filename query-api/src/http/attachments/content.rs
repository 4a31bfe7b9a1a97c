//! `GET /v1/tasks/{task_id}/attachments/{attachment_id}/content`: the content of a file, or a range of it.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, IF_RANGE, RANGE, REFERRER_POLICY,
};
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use serde::Deserialize;
use taskfold_attachments::StoreError;
use taskfold_domain::ids::{AttachmentId, TaskId};
use taskfold_web::auth::bearer;
use taskfold_web::headers::POSITION;
use taskfold_web::problem::ContentProblems;
use taskfold_web::read::{Path, Query};
use taskfold_web::tags::SameInEveryLog;
use taskfold_web::{Caller, Code, Problem, rate_limit};
use utoipa::IntoParams;

use super::content_headers;
use super::range::RequestedRange;
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::etag::matches;
use crate::http::pending::Target;
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::values::Position;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// A stream ticket instead of the header `Authorization`, for `<img>` and `<video>`. Valid for 15 minutes and any
    /// number of requests here, because a video is loaded in many.
    ticket: Option<String>,
    /// Minimum position that the response must reflect.
    #[param(value_type = Option<u64>)]
    min_position: Option<Position>,
}

struct File {
    file_name: String,
    content_type: String,
    size: i64,
    sha256: String,
}

/// The content of a file, or the range that `Range` asks for. Its `ETag` is its SHA-256. Images, audio, video, PDF and
/// plain text may be displayed; other files are downloaded, and no file can run scripts on this origin.
#[utoipa::path(
    get, path = "/v1/tasks/{task_id}/attachments/{attachment_id}/content", operation_id = "getAttachmentContent",
    tag = "attachments",
    params(("task_id" = Uuid, Path, description = "the task"), ("attachment_id" = Uuid, Path, description = "the attachment"),
        Params, ReadHeaders,
        ("Range" = Option<String>, Header, description = "`bytes=<first>-<last>`; several ranges are answered with the whole file"),
        ("If-Range" = Option<String>, Header, description = "The `ETag`: responds with the whole file if it differs")),
    responses(
        (status = 200, description = "The file", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, description = "The range", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 304, description = "Not modified"),
        ContentProblems
    ),
    security(("bearer" = []), ())
)]
pub async fn handler(
    State(app): State<App>,
    Path((task_id, attachment_id)): Path<(TaskId, AttachmentId)>,
    Query(query): Query<Params>,
    request: Request,
) -> Result<Response, ReadError> {
    let (parts, _) = request.into_parts();
    let caller = caller(&app, &parts, query.ticket.as_deref()).await?;
    let read = ReadRequest::by(caller, &parts)?;
    let mut lookup = read.lookup(&app, query.min_position);
    let (file, position) = loop {
        let (mut snapshot, _) = lookup.member(Target::Task(task_id)).await?;
        let file = sqlx::query_as!(
            File,
            "SELECT file_name, content_type, size, sha256 FROM attachments WHERE task_id = $1 AND attachment_id = $2",
            task_id.0,
            attachment_id.0,
        )
        .fetch_optional(&mut *snapshot.db)
        .await?;
        let position = snapshot.position;
        match file {
            Some(file) => {
                // Not held while the content is sent, which may take hours.
                snapshot.close().await;
                break (file, position);
            }
            None => lookup.retry(snapshot, Target::TaskPart(task_id)).await?,
        }
    };

    let etag = format!("\"{}\"", file.sha256);
    let mut response = if read.if_none_match.as_deref().is_some_and(|tags| matches(tags, &etag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match requested_range(&parts, &etag, file.size as u64) {
            RequestedRange::Unsatisfiable => unsatisfiable(file.size),
            range @ (RequestedRange::Whole | RequestedRange::Bytes(_)) => {
                content(&app, attachment_id, &file, range, parts.method == Method::HEAD).await?
            }
        }
    };
    response.extensions_mut().insert(SameInEveryLog);
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static(POSITION), position.into());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // Cached for this caller only, and revalidated: memberships end.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    // The URL may contain a ticket.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(ETAG, etag);
    }
    Ok(response)
}

/// Verifies the token in the header, or the ticket of a client that cannot send headers.
async fn caller(app: &App, parts: &Parts, ticket: Option<&str>) -> Result<Caller, ReadError> {
    let verified = match (bearer(&parts.headers)?, ticket) {
        (Some(token), _) => app.verifier.verify(token).await,
        (None, Some(ticket)) => app.verifier.verify_held_ticket(ticket).await,
        (None, None) => {
            let detail = "Send `Authorization: Bearer <access token>`, or `?ticket=`";
            return Err(Problem::new(Code::Unauthenticated, detail).into());
        }
    };
    let caller = verified.map_err(Problem::from)?;
    rate_limit::count(parts, &caller)?;
    Ok(caller)
}

/// Determines the range. Ranges apply to GET only (RFC 9110, 14.2). `If-Range` matches the file's strong tag; a date or
/// another tag selects the whole file.
fn requested_range(parts: &Parts, etag: &str, size: u64) -> RequestedRange {
    let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let same = text(IF_RANGE).is_none_or(|tag| tag.trim() == etag);
    RequestedRange::parse(text(RANGE).filter(|_| same && parts.method == Method::GET), size)
}

fn unsatisfiable(size: i64) -> Response {
    let detail = format!("The file has {size} bytes");
    let mut response = Problem::new(Code::RangeNotSatisfiable, detail).with("size", size).into_response();
    if let Ok(range) = HeaderValue::from_str(&format!("bytes */{size}")) {
        response.headers_mut().insert(CONTENT_RANGE, range);
    }
    response
}

async fn content(
    app: &App,
    id: AttachmentId,
    file: &File,
    requested: RequestedRange,
    head_only: bool,
) -> Result<Response, ReadError> {
    let size = file.size as u64;
    let (status, range) = match requested {
        RequestedRange::Bytes(range) => (StatusCode::PARTIAL_CONTENT, range),
        RequestedRange::Whole | RequestedRange::Unsatisfiable => (StatusCode::OK, 0..size),
    };
    let body = if head_only {
        Body::empty()
    } else {
        let mut chunks = Box::pin(app.attachments.read(id, range.clone()));
        // Read before the status is sent, so that an unavailable store is answered with a problem and not with a broken
        // file.
        let first = chunks.next().await.transpose().map_err(problem)?;
        Body::from_stream(futures::stream::iter(first.map(Ok)).chain(chunks))
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    content_headers::insert(headers, &file.content_type, &file.file_name);
    headers.insert(CONTENT_LENGTH, (range.end - range.start).into());
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(range) = HeaderValue::from_str(&format!("bytes {}-{}/{size}", range.start, range.end - 1))
    {
        headers.insert(CONTENT_RANGE, range);
    }
    Ok(response)
}

fn problem(error: StoreError) -> Problem {
    match error {
        // The attachment was removed just now, or the store was emptied.
        StoreError::NotFound => {
            tracing::warn!("the content of an attachment is not in the store");
            Problem::not_found()
        }
        StoreError::Unavailable(cause) => {
            tracing::warn!(cause, "the store of attachments is unavailable");
            Problem::unavailable("The attachment store")
        }
    }
}
