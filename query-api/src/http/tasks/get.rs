use axum::extract::State;
use taskfold_domain::ids::TaskId;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};

use crate::http::answer::Answer;
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::me::AtLeast;
use crate::http::reading::{ReadHeaders, Reading};
use crate::http::view::{Task, task_fields};

/// A task, also when it is deleted.
#[utoipa::path(
    get, path = "/v1/tasks/{task_id}", operation_id = "getTask", tag = "tasks",
    params(("task_id" = Uuid, Path, description = "the task"), AtLeast, ReadHeaders),
    responses((status = 200, description = "The task; its `ETag` is what `If-Match` takes", body = Task), (status = 304, description = "As before"), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    reading: Reading,
    Path(task_id): Path<TaskId>,
    Query(query): Query<AtLeast>,
) -> Result<Answer, ReadError> {
    let (mut snapshot, member) = reading.task(&app, query.min_position, task_id).await?;
    let task: Task = sqlx::query_as(concat!(
        "SELECT ",
        task_fields!(),
        ", description, checklists, watcher_ids FROM tasks WHERE task_id = $1"
    ))
    .bind(task_id.0)
    .fetch_one(&mut *snapshot.db)
    .await?;
    let task = task.shown_to(&member, &member.labels());
    Answer::versioned(&reading, snapshot, task.fields.version, &task).await
}
