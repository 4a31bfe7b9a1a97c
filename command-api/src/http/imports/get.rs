//! `GET /v1/imports/{import_id}`: get the state of an import.

use axum::Json;
use axum::extract::State;
use taskfold_domain::ids::ProjectId;
use taskfold_imports::store::{self, Import};
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::Path;
use taskfold_web::{Caller, Code, Problem};
use uuid::Uuid;

use crate::http::app::App;
use crate::http::error::ApiError;

/// Get the state of an import. Only the user who requested it can see it.
#[utoipa::path(
    get, path = "/v1/imports/{import_id}", operation_id = "getImport", tag = "imports",
    params(("import_id" = Uuid, Path)),
    responses((status = 200, description = "The state of the import", body = Import), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    Path(import_id): Path<Uuid>,
) -> Result<Json<Import>, ApiError> {
    let import = store::get(&app.pool, import_id, caller.user_id).await.map_err(super::create::unavailable)?;
    import
        .filter(|import| caller.scope.reaches(ProjectId(import.project_id)))
        .map(Json)
        .ok_or_else(|| Problem::new(Code::NotFound, "The import does not exist, or is not yours").into())
}
