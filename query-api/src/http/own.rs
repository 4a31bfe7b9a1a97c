use sqlx::{Postgres, Transaction};
use taskfold_domain::ids::ProjectId;
use taskfold_openapi::Problem;

use super::error::ReadError;

/// 404 for a project that is none of the caller's.
pub async fn must_see(db: &mut Transaction<'static, Postgres>, project: ProjectId) -> Result<(), ReadError> {
    let seen: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM projects WHERE project_id = $1)")
        .bind(project.0)
        .fetch_one(&mut **db)
        .await?;
    if seen { Ok(()) } else { Err(Problem::not_found().into()) }
}
