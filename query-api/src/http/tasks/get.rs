//! `GET /v1/tasks/{task_id}`: a task.

use axum::extract::State;
use taskfold_domain::ids::TaskId;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};

use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::read_request::MinPosition;
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;
use crate::http::view::{Present, Task, select_tasks};

/// A task, also if it is deleted.
#[utoipa::path(
    get, path = "/v1/tasks/{task_id}", operation_id = "getTask", tag = "tasks",
    params(("task_id" = Uuid, Path, description = "the task"), MinPosition, ReadHeaders),
    responses((status = 200, description = "The task; its `ETag` is what `If-Match` takes", body = Task), (status = 304, description = "Not modified"), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Path(task_id): Path<TaskId>,
    Query(query): Query<MinPosition>,
) -> Result<ReadResponse, ReadError> {
    let (mut snapshot, member) = request.task(&app, query.min_position, task_id).await?;
    let task = select_tasks!(
        task, row => task;
        "SELECT" TASK "FROM tasks WHERE task_id = $1";
        task_id.0,
    )
    .fetch_one(&mut *snapshot.db)
    .await?;
    let present = Present::read(&mut snapshot, member.labels(), task.people().into_iter()).await?;
    let task = task.shown_to(&member, &present);
    ReadResponse::versioned(&request, snapshot, task.fields.version, &task).await
}
