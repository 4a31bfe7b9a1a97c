use axum::body::Body;
use axum::extract::{Request, State};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT};
use serde::Deserialize;
use serde_json::Value;
use taskfold_attachments::uploads::receiving::Receiving;
use taskfold_attachments::uploads::{AttachRequest, File, UploadError};
use taskfold_commands::{CommandError, Done};
use taskfold_domain::ids::TaskId;
use taskfold_domain::input::Sha256Hex;
use taskfold_web::Problem;
use taskfold_web::problem::UploadProblems;
use taskfold_web::read::{Path, Query};
use utoipa::IntoParams;

use super::body;
use super::bytes;
use super::commit::{commit, may_attach};
use super::declared::{self, Sha256Bytes, to_hex};
use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};
use crate::http::sent::{CommandHeaders, Sent};

/// What a form may have beside its file.
const FORM_BYTES: u64 = 64 * 1024;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// In place of the name in `Content-Disposition` or in the form.
    #[param(example = "notes.pdf")]
    file_name: Option<String>,
    /// What the file's SHA-256 should be, in lower-case hexadecimal: 422 if it is another.
    #[param(value_type = Option<String>)]
    sha256: Option<Sha256Hex>,
}

/// Attach a file, by default of at most 2 GiB. The body is the file, with its `Content-Type`, and its name in
/// `Content-Disposition: attachment; filename*=UTF-8''...` or `?file_name=`; or it is a form (`multipart/form-data`) with one
/// file. It may be sent without a length. `Repr-Digest: sha-256=:...:` (RFC 9530), of a body that is the file, or `?sha256=`
/// is checked. One that breaks off leaves nothing; for what may be resumed, see the uploads.
#[utoipa::path(
    post, path = "/v1/tasks/{task_id}/attachments", operation_id = "attachFile", tag = "attachments",
    params(("task_id" = Uuid, Path, description = "the task"), Params, CommandHeaders,
        ("Content-Disposition" = Option<String>, Header, description = "The file's name"),
        ("Repr-Digest" = Option<String>, Header, description = "`sha-256=:<base64>:`: 422 if the bytes have another")),
    request_body(content(
        (Vec<u8> = "application/octet-stream"),
        (String = "multipart/form-data"),
    )),
    responses((status = 201, description = "Made", body = CommandReply), UploadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    sent: Sent,
    Path(task_id): Path<TaskId>,
    Query(params): Query<Params>,
    request: Request,
) -> Result<Reply, ApiError> {
    let envelope = sent.envelope();
    app.engine.must_reach_task(task_id, &envelope).await?;
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    let is_form = bytes::is_form(headers);
    let sha256 = declared::digests((!is_form).then_some(headers), params.sha256.as_ref());
    let name = params.file_name.as_deref();
    if envelope.may_be_replayed
        && let Some(done) = app.engine.sent_before(envelope.actor, envelope.command_id).await?
    {
        // The file is not stored a second time, so only what is known of it beforehand is compared.
        let file = (!is_form).then(|| declared::file(headers, name));
        let done = same(done, task_id, file, &sha256?)?;
        read_over(headers, body, app.uploads.limit).await;
        return Ok(reply(done));
    }
    may_attach(&app.engine, task_id, &envelope).await?;
    let sha256 = sha256?;
    let most = app.uploads.limit + if is_form { FORM_BYTES } else { 0 };
    if content_length(headers).is_some_and(|length| length > most) {
        return Err(UploadError::TooLarge { limit: app.uploads.limit }.into());
    }

    let request = AttachRequest { user: envelope.actor, command_id: envelope.command_id };
    let mut receiving = Receiving::begin(&app.uploads, task_id, request).await?;
    let taken = async {
        let file = bytes::take(&mut receiving, headers, name, body).await?;
        let whole = receiving.whole().await?;
        if sha256.iter().any(|announced| *announced != whole.sha256) {
            let detail = format!("is not that of the bytes that came in, which is {}", to_hex(&whole.sha256));
            return Err(Problem::invalid_field("/sha256", detail).into());
        }
        Ok::<_, ApiError>((file, whole))
    };
    let (file, whole) = match taken.await {
        Ok(taken) => taken,
        Err(problem) => {
            receiving.discard().await;
            return Err(problem);
        }
    };
    let id = receiving.keep().await?;
    let done = commit(&app.engine, &app.uploads, task_id, id, (&file, &whole), envelope).await?;
    Ok(reply(done))
}

fn reply(done: Done) -> Reply {
    Reply::at(done, |done, made| format!("/v1/tasks/{}/attachments/{made}", done.id))
}

/// Takes a body that is not needed. Whoever sends a large one listens when they are through with it: answered earlier, they
/// would see a broken connection in place of the answer, and send it all again. Those who ask first are told at once.
async fn read_over(headers: &HeaderMap, mut body: Body, limit: u64) {
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

/// The answer of then, if the request is the one of then as far as its head tells.
fn same(done: Done, task: TaskId, file: Option<File>, sha256: &[Sha256Bytes]) -> Result<Done, CommandError> {
    let change: Value = done.events.first().and_then(|e| serde_json::from_str(e.get()).ok()).unwrap_or_default();
    let then = &change["changes"]["attachment"]["to"];
    let is = |field: &str, now: &str| then[field] == now;
    let same_file =
        file.is_none_or(|f| is("file_name", f.name.as_str()) && is("content_type", f.content_type.as_str()));
    let same_bytes = sha256.iter().all(|digest| is("sha256", &to_hex(digest)));
    if done.id == task.0 && then.is_object() && same_file && same_bytes {
        Ok(done)
    } else {
        Err(CommandError::KeyReused)
    }
}
