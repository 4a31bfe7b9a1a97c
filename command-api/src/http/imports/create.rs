use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderName, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_domain::{Refusal, Role};
use taskfold_event_log::clock;
use taskfold_imports::store::{self, Import, NewImport, Stored};
use taskfold_imports::trello::export::NotABoard;
use taskfold_imports::trello::parse::{BadUpload, probe};
use taskfold_web::headers::{IDEMPOTENCY_REPLAYED, IdempotencyKey};
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{self, body_bytes, must_be_json};
use taskfold_web::{Caller, Code, Problem};
use uuid::Uuid;

use super::parameters::{Format, Parameters};
use crate::http::app::App;
use crate::http::error::ApiError;

/// Of an upload.
const UPLOAD_BYTES: usize = 64 * 1024 * 1024;
/// How long an upload may take to arrive.
const UPLOAD_TIME: Duration = Duration::from_secs(300);

type Asked = read::Query<Parameters>;

/// Import a board of another program, at most 64 MiB. It goes on after the answer; importing the same, a newer or an
/// older export of the board again changes nothing twice and nothing back.
#[utoipa::path(
    post, path = "/v1/imports", operation_id = "createImport", tag = "imports",
    params(Parameters, ("Idempotency-Key" = Option<Uuid>, Header, description = "The same again answers the same import")),
    request_body(content = Object, description = "The export", content_type = "application/json"),
    responses(
        (status = 202, description = "Taken; `Location` says where to ask how it stands", body = Import),
        CommandProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    key: IdempotencyKey,
    asked: Asked,
    request: Request,
) -> Result<Response, ApiError> {
    let Parameters { format: Format::Trello, project_id } = asked.0;
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
    let document = body_bytes(request, UPLOAD_BYTES, UPLOAD_TIME).await?;
    let (document, checked) = checked(document).await?;
    let (source_id, digest) = checked.map_err(|bad| match bad {
        BadUpload::NotJson => Problem::new(Code::Malformed, "The body is not JSON"),
        BadUpload::NotABoard(why @ NotABoard::NoObject) => Problem::invalid_field("", why.to_string()),
        BadUpload::NotABoard(why @ NotABoard::NoId) => Problem::invalid_field("/id", why.to_string()),
        BadUpload::NotABoard(why @ NotABoard::NoLists) => Problem::invalid_field("/lists", why.to_string()),
    })?;
    let (project, own) = match project_id {
        Some(project) => (ProjectId(project), false),
        None => (own_project(&app, &source_id, user).await?, true),
    };
    let id = key.0.map_or_else(clock::new_id, |key| Uuid::new_v5(&user.0, key.as_bytes()));
    let new = NewImport {
        id,
        user,
        source_id: &source_id,
        project,
        own,
        document: &document,
        digest: &digest,
        at: clock::now(),
    };
    let stored = store::insert(&app.pool, new).await.map_err(unavailable)?;
    match stored {
        Stored::New => app.imports.notify_one(),
        Stored::Known => {}
        Stored::Reused => return Err(taskfold_commands::CommandError::KeyReused.into()),
        Stored::TooMany => {
            return Err(Problem::new(Code::RateLimited, "Many imports of yours wait already: let one end first").into());
        }
    }
    let import = store::get(&app.pool, id, user).await.map_err(unavailable)?;
    let import = import.ok_or_else(|| Problem::internal(&"an import is gone that was stored just now"))?;
    let mut response = (StatusCode::ACCEPTED, Json(import)).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/imports/{id}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    if matches!(stored, Stored::Known) {
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

/// The caller's project for this board. One in which they have no say any more is left to those who have.
async fn own_project(app: &App, source_id: &str, user: UserId) -> Result<ProjectId, ApiError> {
    let mine = || store::own_project(&app.pool, source_id, user, clock::new_id());
    let project = mine().await.map_err(unavailable)?;
    let is_new = app.engine.load_project(project).await?.board().is_none();
    if is_new || app.engine.role_in(project, user).await?.is_some_and(|role| role >= Role::Admin) {
        return Ok(project);
    }
    store::disown(&app.pool, source_id, user).await.map_err(unavailable)?;
    Ok(mine().await.map_err(unavailable)?)
}

type Checked = Result<(String, Vec<u8>), BadUpload>;

/// Parsing and hashing megabytes is no work for the threads that answer requests.
async fn checked(document: Vec<u8>) -> Result<(Vec<u8>, Checked), ApiError> {
    let work = move || {
        let checked = probe(&document).map(|source_id| (source_id, Sha256::digest(&document).to_vec()));
        (document, checked)
    };
    Ok(tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal(&error))?)
}

pub(super) fn unavailable(error: sqlx::Error) -> Problem {
    tracing::warn!(%error, "imports cannot be reached");
    Problem::unavailable("The database")
}
