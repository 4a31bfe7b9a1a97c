//! `POST /v1/tasks/{task_id}/attachments`: attach a file.

use axum::body::Body;
use axum::extract::{Request, State};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT};
use serde::Deserialize;
use serde_json::Value;
use taskfold_attachments::uploads::single::SingleUpload;
use taskfold_attachments::uploads::{AttachRequest, File, UploadError};
use taskfold_commands::{CommandError, Done};
use taskfold_domain::ids::TaskId;
use taskfold_domain::input::Sha256Hex;
use taskfold_domain::limits::FORM_BYTES;
use taskfold_web::Problem;
use taskfold_web::problem::UploadProblems;
use taskfold_web::read::{Path, Query};
use utoipa::IntoParams;

use super::body;
use super::commit::{commit, may_attach};
use super::content;
use super::declared::{self, Sha256Bytes, to_hex};
use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// Name of the file. It replaces the name in `Content-Disposition` or in the form.
    #[param(example = "notes.pdf")]
    file_name: Option<String>,
    /// Expected SHA-256 of the file, in lower-case hexadecimal; 422 if it differs.
    #[param(value_type = Option<String>)]
    sha256: Option<Sha256Hex>,
}

/// Attach a file, by default of at most 2 GiB. The body is either the file, with its `Content-Type`, and with its name
/// in `Content-Disposition: attachment; filename*=UTF-8''...` or `?file_name=`, or a form (`multipart/form-data`) with
/// one file. It may be sent without a length. `Repr-Digest: sha-256=:...:` (RFC 9530, only if the body is the file) and
/// `?sha256=` are verified. A request that breaks off leaves nothing behind; use uploads for files that can be resumed.
#[utoipa::path(
    post, path = "/v1/tasks/{task_id}/attachments", operation_id = "attachFile", tag = "attachments",
    params(("task_id" = Uuid, Path, description = "the task"), Params, CommandHeaders,
        ("Content-Disposition" = Option<String>, Header, description = "The file's name"),
        ("Repr-Digest" = Option<String>, Header, description = "`sha-256=:<base64>:`; 422 if it does not match")),
    request_body(content(
        (Vec<u8> = "application/octet-stream"),
        (String = "multipart/form-data"),
    )),
    responses((status = 201, description = "Created", body = CommandReply), UploadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    command_request: CommandRequest,
    Path(task_id): Path<TaskId>,
    Query(params): Query<Params>,
    request: Request,
) -> Result<Reply, ApiError> {
    let envelope = command_request.envelope();
    app.engine.must_reach_task(task_id, &envelope).await?;
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    let is_form = content::is_form(headers);
    let sha256 = declared::digests((!is_form).then_some(headers), params.sha256.as_ref());
    let name = params.file_name.as_deref();
    let file = (!is_form).then(|| declared::file(headers, name)).transpose();
    if envelope.may_be_replayed
        && let Some(done) = app.engine.sent_before(envelope.actor, envelope.command_id).await?
    {
        // The file is not stored again, so only the properties that the headers declare are compared.
        let done = same_request(done, task_id, file?, &sha256?)?;
        discard_body(headers, body, app.uploads.limit).await;
        return Ok(reply(done));
    }
    let target = may_attach(&app.engine, task_id, &envelope).await?;
    let (sha256, declared) = (sha256?, file?);
    let max_length = app.uploads.limit + if is_form { FORM_BYTES } else { 0 };
    let length = content_length(headers);
    if length.is_some_and(|length| length > max_length) {
        return Err(UploadError::TooLarge { limit: app.uploads.limit }.into());
    }

    let request = AttachRequest { user: envelope.actor, command_id: envelope.command_id };
    // The length of a form is more than that of its file.
    let mut upload = SingleUpload::begin(&app.uploads, target, request, length.filter(|_| !is_form)).await?;
    let receiving = async {
        let file = content::receive(&mut upload, headers, declared, name, body).await?;
        let stored = upload.finish().await?;
        if sha256.iter().any(|expected| *expected != stored.sha256) {
            let detail = format!("does not match the file, whose SHA-256 is {}", to_hex(&stored.sha256));
            return Err(Problem::invalid_field("/sha256", detail).into());
        }
        Ok::<_, ApiError>((file, stored))
    };
    let (file, stored) = match receiving.await {
        Ok(received) => received,
        Err(problem) => {
            upload.discard().await;
            return Err(problem);
        }
    };
    let id = upload.keep().await?;
    let done = commit(&app.engine, &app.uploads, task_id, id, (&file, &stored), envelope).await?;
    Ok(reply(done))
}

fn reply(done: Done) -> Reply {
    Reply::created_at(done, |done, created| format!("/v1/tasks/{}/attachments/{created}", done.id))
}

/// Reads a body that is not needed. Most clients read the response only after they have sent a large body: with an
/// earlier response, they would see a broken connection and send everything again. Clients that send `Expect` wait for
/// it.
async fn discard_body(headers: &HeaderMap, mut body: Body, limit: u64) {
    if headers.contains_key(EXPECT) {
        return;
    }
    let mut read = 0;
    while let Ok(Some(bytes)) = body::next(&mut body).await {
        read += bytes.len() as u64;
        if read > limit + FORM_BYTES {
            return;
        }
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The first response, if the request is the same as far as its headers tell.
fn same_request(done: Done, task: TaskId, file: Option<File>, sha256: &[Sha256Bytes]) -> Result<Done, CommandError> {
    let change: Value = done.events.first().and_then(|e| serde_json::from_str(e.get()).ok()).unwrap_or_default();
    let attached = &change["changes"]["attachment"]["to"];
    let is = |field: &str, declared: &str| attached[field] == declared;
    let same_file =
        file.is_none_or(|f| is("file_name", f.name.as_str()) && is("content_type", f.content_type.as_str()));
    let same_bytes = sha256.iter().all(|digest| is("sha256", &to_hex(digest)));
    if done.id == task.0 && attached.is_object() && same_file && same_bytes {
        Ok(done)
    } else {
        Err(CommandError::KeyReused)
    }
}
