use sqlx::{Postgres, Transaction};
use taskfold_domain::ids::ProjectId;
use taskfold_openapi::{Caller, Problem};

use super::app::App;
use super::error::ReadError;

/// A transaction in which the caller writes what is theirs alone: row-level security lets them touch nothing else.
pub async fn begin(app: &App, caller: &Caller) -> Result<Transaction<'static, Postgres>, ReadError> {
    caller.must_write()?;
    let mut db = app.pool.begin().await?;
    sqlx::query("SELECT set_config('taskfold.user_id', $1, true), set_config('taskfold.project_id', $2, true)")
        .bind(caller.user_id.to_string())
        .bind(caller.scope.project.map(|project| project.to_string()).unwrap_or_default())
        .execute(&mut *db)
        .await?;
    Ok(db)
}

/// 404 for a project that is none of the caller's.
pub async fn must_see(db: &mut Transaction<'static, Postgres>, project: ProjectId) -> Result<(), ReadError> {
    let seen: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM projects WHERE project_id = $1)")
        .bind(project.0)
        .fetch_one(&mut **db)
        .await?;
    if seen { Ok(()) } else { Err(Problem::not_found().into()) }
}
