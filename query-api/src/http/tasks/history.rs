use axum::extract::State;
use serde_json::value::RawValue;
use taskfold_domain::Change;
use taskfold_domain::ids::TaskId;
use taskfold_domain::task::TYPE;
use taskfold_event_log::{LoggedEvent, select_events};
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use uuid::Uuid;

use crate::http::answer::Answer;
use crate::http::app::App;
use crate::http::error::{ReadError, bad_cursor_or};
use crate::http::feed;
use crate::http::page::{ListName, Page, Paging, limit};
use crate::http::reading::{ReadHeaders, Reading};

/// What happened to a task, newest first: who, when, before and after.
#[utoipa::path(
    get, path = "/v1/tasks/{task_id}/history", operation_id = "getTaskHistory", tag = "tasks",
    params(("task_id" = Uuid, Path, description = "the task"), Paging, ReadHeaders),
    responses(
        (status = 200, description = "A page of Changes", body = Page<Change>),
        (status = 304, description = "As before"),
        ReadProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    reading: Reading,
    Path(task_id): Path<TaskId>,
    Query(query): Query<Paging>,
) -> Result<Answer, ReadError> {
    let limit = limit(query.limit)?;
    let list = ListName::new("history", task_id.0, &());
    let before = list.read(query.cursor.as_deref())?;
    let (mut snapshot, _) = reading.task(&app, query.min_position, task_id).await?;
    let rows: Vec<LoggedEvent> = sqlx::query_as(select_events!(
        "WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence < $3::text::bigint AND position <= $4 \
         ORDER BY sequence DESC LIMIT $5"
    ))
    .bind(TYPE)
    .bind(task_id.to_string())
    .bind(before.map_or_else(|| i64::MAX.to_string(), |c| c.key))
    .bind(snapshot.position)
    .bind(limit + 1)
    .fetch_all(&mut *snapshot.db)
    .await
    .map_err(bad_cursor_or)?;
    let Page { items, next_cursor } = list.page(rows, limit, |e| (e.sequence.to_string(), Uuid::nil()), |e| e);
    let items: Vec<Box<RawValue>> = feed::changes(&items)?;
    Answer::page(&reading, snapshot, &Page { items, next_cursor }).await
}
