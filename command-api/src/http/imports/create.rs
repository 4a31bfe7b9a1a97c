//! `POST /v1/imports`: import a board of another program. The import continues after the response.

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderName, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_domain::limits::IMPORT_UPLOAD_SECONDS;
use taskfold_domain::{Refusal, Role};
use taskfold_imports::source::{Format, InvalidUpload};
use taskfold_imports::store::{self, Import, InsertOutcome, NewImport};
use taskfold_web::headers::{IDEMPOTENCY_REPLAYED, IdempotencyKey};
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Query, body_bytes, must_be_json};
use taskfold_web::{Caller, Code, Problem};
use uuid::Uuid;

use super::parameters::Parameters;
use crate::http::app::App;
use crate::http::error::ApiError;

/// Limit of the time in which an upload must arrive.
const MAX_UPLOAD_TIME: Duration = Duration::from_secs(IMPORT_UPLOAD_SECONDS);

/// Import a board of another program, of at most `import_bytes` (see `GET /v1/meta`). The import continues after the
/// response. Importing any export of the board again, newer or older, neither repeats nor reverts anything.
#[utoipa::path(
    post, path = "/v1/imports", operation_id = "createImport", tag = "imports",
    params(
        Parameters,
        ("Idempotency-Key" = Option<Uuid>, Header, description = "Id of the request; a repetition has the same response")
    ),
    request_body(content = Object, description = "The export", content_type = "application/json"),
    responses(
        (status = 202, description = "Accepted; its state is at `Location`", body = Import),
        CommandProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    key: IdempotencyKey,
    Query(Parameters { format, project_id }): Query<Parameters>,
    request: Request,
) -> Result<Response, ApiError> {
    let user = caller.user_id;
    caller.must_write()?;
    if caller.scope.project.is_some() && project_id.is_none() {
        return Err(taskfold_commands::CommandError::OutOfScope.into());
    }
    if let Some(project) = project_id {
        caller.must_reach(ProjectId(project))?;
        must_be_admin(&app, ProjectId(project), user).await?;
    }
    must_be_json(request.headers().get(CONTENT_TYPE))?;
    let max = usize::try_from(app.limits.import_bytes).unwrap_or(usize::MAX);
    // Held until it is stored: each file is in memory, and so is what it is parsed into.
    let _slot = app.import_files.take(user).map_err(|_| {
        let detail = "Too many imports are being received, or too many of yours: try again when one is accepted";
        Problem::new(Code::RateLimited, detail).retry_after(1)
    })?;
    let document = body_bytes(request, max, MAX_UPLOAD_TIME).await?;
    let (document, checked) = check(format, document).await?;
    let (source_id, digest) = checked.map_err(|invalid| match invalid {
        InvalidUpload::NotJson => Problem::new(Code::Malformed, "The body is not JSON"),
        InvalidUpload::NotABoard { pointer, detail } => Problem::invalid_field(pointer, detail),
    })?;
    let (project, own) = match project_id {
        Some(project) => (ProjectId(project), false),
        None => (own_project(&app, format, &source_id, user).await?, true),
    };
    let id = key.0.map_or_else(|| app.clock.new_id(), |key| Uuid::new_v5(&user.0, key.as_bytes()));
    let new = NewImport {
        id,
        user,
        format,
        source_id: &source_id,
        project,
        own,
        document: &document,
        digest: &digest,
        at: app.clock.now(),
    };
    let outcome = store::insert(&app.pool, new).await.map_err(unavailable)?;
    match outcome {
        InsertOutcome::Inserted => app.imports.notify_one(),
        InsertOutcome::Replayed => {}
        InsertOutcome::IdReused => return Err(taskfold_commands::CommandError::KeyReused.into()),
        InsertOutcome::TooManyWaiting => {
            return Err(Problem::new(
                Code::RateLimited,
                "Too many of your imports are waiting: try again when one has ended",
            )
            .into());
        }
    }
    let import = store::get(&app.pool, id, user).await.map_err(unavailable)?;
    let import = import.ok_or_else(|| Problem::internal(&"an import that was just stored does not exist"))?;
    let mut response = (StatusCode::ACCEPTED, Json(import)).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/imports/{id}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    if outcome == InsertOutcome::Replayed {
        let replayed = HeaderName::from_static(IDEMPOTENCY_REPLAYED);
        response.headers_mut().insert(replayed, HeaderValue::from_static("true"));
    }
    Ok(response)
}

async fn must_be_admin(app: &App, project: ProjectId, user: UserId) -> Result<(), ApiError> {
    let role = app.engine.role_in(project, user).await?.ok_or(Refusal::NotFound)?;
    if role < Role::Admin {
        return Err(Refusal::Forbidden { needs: Role::Admin }.into());
    }
    Ok(())
}

/// The caller's project for this board. If they are no longer an admin of it, another project is created.
async fn own_project(app: &App, format: Format, source_id: &str, user: UserId) -> Result<ProjectId, ApiError> {
    let find_or_create = || store::own_project(&app.pool, format, source_id, user, app.clock.new_id());
    let project = find_or_create().await.map_err(unavailable)?;
    let is_new = app.engine.load_project(project).await?.board().is_none();
    if is_new || app.engine.role_in(project, user).await?.is_some_and(|role| role >= Role::Admin) {
        return Ok(project);
    }
    store::disown(&app.pool, format, source_id, user).await.map_err(unavailable)?;
    Ok(find_or_create().await.map_err(unavailable)?)
}

/// Id of the board, and digest of the document.
type Checked = Result<(String, Vec<u8>), InvalidUpload>;

/// Checks a document on a blocking thread, because parsing and hashing megabytes takes long.
async fn check(format: Format, document: Vec<u8>) -> Result<(Vec<u8>, Checked), ApiError> {
    let work = move || {
        let checked =
            format.source().board_id(&document).map(|source_id| (source_id, Sha256::digest(&document).to_vec()));
        (document, checked)
    };
    Ok(tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal(&error))?)
}

pub(super) fn unavailable(error: sqlx::Error) -> Problem {
    tracing::warn!(%error, "the table of imports is unavailable");
    Problem::unavailable("The database")
}
