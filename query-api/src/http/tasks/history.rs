//! `GET /v1/tasks/{task_id}/history`: the Changes of a task.

use axum::extract::State;
use serde_json::value::RawValue;
use taskfold_domain::Change;
use taskfold_domain::ids::TaskId;
use taskfold_domain::task::TYPE;
use taskfold_event_log::{EventRow, LoggedEvent};
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use uuid::Uuid;

use crate::http::app::App;
use crate::http::error::{ReadError, bad_cursor_or};
use crate::http::feed;
use crate::http::page::{Keyset, Page, Paging};
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;

/// Sort key before all others, in descending order: `i64::MAX`.
const FIRST_KEY: &str = "9223372036854775807";

/// The Changes of a task, newest first, each with the values before and after.
#[utoipa::path(
    get, path = "/v1/tasks/{task_id}/history", operation_id = "getTaskHistory", tag = "tasks",
    params(("task_id" = Uuid, Path, description = "the task"), Paging, ReadHeaders),
    responses(
        (status = 200, description = "A page of Changes", body = Page<Change>),
        (status = 304, description = "Not modified"),
        ReadProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Path(task_id): Path<TaskId>,
    Query(query): Query<Paging>,
) -> Result<ReadResponse, ReadError> {
    let list = Keyset::of("history", task_id.0, &query)?;
    let (mut snapshot, _) = request.task(&app, query.min_position, task_id).await?;
    let rows = sqlx::query_as!(
        EventRow,
        r#"
        SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version,
               payload::text AS "payload!", words AS "words: _", project_id, actor_id, command_id,
               occurred_at AS "occurred_at: _", recorded_at AS "recorded_at: _", traceparent
        FROM events
        WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence < $3::text::bigint AND position <= $4
        ORDER BY sequence DESC LIMIT $5
        "#,
        TYPE,
        task_id.to_string(),
        list.key(FIRST_KEY),
        snapshot.position,
        list.row_limit(),
    )
    .map(LoggedEvent::from)
    .fetch_all(&mut *snapshot.db)
    .await
    .map_err(bad_cursor_or)?;
    let Page { items, next_cursor } = list.page(rows, |e| (e.sequence.to_string(), Uuid::nil()), |e| e);
    let items: Vec<Box<RawValue>> = feed::changes(&items)?;
    ReadResponse::page(&request, snapshot, &Page { items, next_cursor }).await
}
