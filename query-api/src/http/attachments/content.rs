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
use taskfold_web::{Caller, Code, Problem};
use utoipa::IntoParams;

use super::manners;
use super::range::Wanted;
use crate::http::answer::matches;
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::pending::Thing;
use crate::http::reading::{ReadHeaders, Reading};
use crate::http::values::Position;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// In place of the header `Authorization`, for `<img>` and `<video>`: a stream ticket, good for 15 minutes here, because
    /// a video is played by many requests.
    ticket: Option<String>,
    /// Answer only with what reflects this position.
    #[param(value_type = Option<u64>)]
    min_position: Option<Position>,
}

#[derive(sqlx::FromRow)]
struct File {
    file_name: String,
    content_type: String,
    size: i64,
    sha256: String,
}

/// The bytes of a file, or the one range of them that `Range` asks for. Its `ETag` is its SHA-256. Images, audio, video, PDF
/// and plain text may be shown in place; everything else is for saving, and nothing in it can run on this origin.
#[utoipa::path(
    get, path = "/v1/tasks/{task_id}/attachments/{attachment_id}/content", operation_id = "getAttachmentContent",
    tag = "attachments",
    params(("task_id" = Uuid, Path, description = "the task"), ("attachment_id" = Uuid, Path, description = "the attachment"),
        Params, ReadHeaders,
        ("Range" = Option<String>, Header, description = "`bytes=<first>-<last>`; several ranges are answered with the whole"),
        ("If-Range" = Option<String>, Header, description = "The `ETag`: the whole if the file is another one")),
    responses(
        (status = 200, description = "The file", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, description = "The range", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 304, description = "As before"),
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
    let reading = Reading::by(caller, &parts)?;
    let mut look = reading.look(&app, query.min_position);
    let (file, position) = loop {
        let (mut snapshot, _) = look.member(Thing::Task(task_id)).await?;
        let file: Option<File> = sqlx::query_as(
            "SELECT file_name, content_type, size, sha256 FROM attachments WHERE task_id = $1 AND attachment_id = $2",
        )
        .bind(task_id.0)
        .bind(attachment_id.0)
        .fetch_optional(&mut *snapshot.db)
        .await?;
        let position = snapshot.position;
        match file {
            Some(file) => {
                // Not held while the bytes go out, which may take hours.
                snapshot.close().await;
                break (file, position);
            }
            None => look.again(snapshot, Thing::PartOf(task_id)).await?,
        }
    };

    let etag = format!("\"{}\"", file.sha256);
    let known = reading.if_none_match.as_deref().is_some_and(|tags| matches(tags, &etag));
    let mut response = match wanted(&parts, &etag, file.size as u64) {
        _ if known => StatusCode::NOT_MODIFIED.into_response(),
        Wanted::Nothing => beyond(file.size),
        wanted => bytes(&app, attachment_id, &file, wanted, parts.method == Method::HEAD).await?,
    };
    response.extensions_mut().insert(SameInEveryLog);
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static(POSITION), position.into());
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // May be kept by the one who asked, and is asked about again: membership ends.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    // The address may hold a ticket.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(ETAG, etag);
    }
    Ok(response)
}

/// The header first; a ticket for those who cannot send one.
async fn caller(app: &App, parts: &Parts, ticket: Option<&str>) -> Result<Caller, ReadError> {
    let verified = match (bearer(&parts.headers)?, ticket) {
        (Some(token), _) => app.verifier.verify(token).await,
        (None, Some(ticket)) => app.verifier.verify_held_ticket(ticket).await,
        (None, None) => {
            let detail = "Send `Authorization: Bearer <access token>`, or `?ticket=`";
            return Err(Problem::new(Code::Unauthenticated, detail).into());
        }
    };
    Ok(verified.map_err(Problem::from)?)
}

/// Ranges are for GET (RFC 9110, 14.2). `If-Range` takes the one strong tag there is; a date or another tag means the whole.
fn wanted(parts: &Parts, etag: &str, size: u64) -> Wanted {
    let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let same = text(IF_RANGE).is_none_or(|tag| tag.trim() == etag);
    Wanted::of(text(RANGE).filter(|_| same && parts.method == Method::GET), size)
}

fn beyond(size: i64) -> Response {
    let detail = format!("The file has {size} bytes");
    let mut response = Problem::new(Code::RangeNotSatisfiable, detail).with("size", size).into_response();
    if let Ok(range) = HeaderValue::from_str(&format!("bytes */{size}")) {
        response.headers_mut().insert(CONTENT_RANGE, range);
    }
    response
}

async fn bytes(
    app: &App,
    id: AttachmentId,
    file: &File,
    wanted: Wanted,
    head_only: bool,
) -> Result<Response, ReadError> {
    let size = file.size as u64;
    let (status, range) = match wanted {
        Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Wanted::Whole | Wanted::Nothing => (StatusCode::OK, 0..size),
    };
    let body = if head_only {
        Body::empty()
    } else {
        let mut pieces = Box::pin(app.attachments.read(id, range.clone()));
        // The first before the head: a store that is away is told as such, and does not look like a file that broke off.
        let first = pieces.next().await.transpose().map_err(problem)?;
        Body::from_stream(futures::stream::iter(first.map(Ok)).chain(pieces))
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    manners::teach(headers, &file.content_type, &file.file_name);
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
        // Removed a moment ago, or somebody else emptied the store.
        StoreError::NotFound => {
            tracing::warn!("the bytes of an attachment are not in the store");
            Problem::not_found()
        }
        StoreError::Unavailable(cause) => {
            tracing::warn!(cause, "an attachment could not be read");
            Problem::unavailable("The store of attachments")
        }
    }
}
