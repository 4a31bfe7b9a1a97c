//! `GET /v1/tasks/{task_id}/comments/{comment_id}/history`: the Changes of one comment.

use axum::extract::State;
use serde_json::value::RawValue;
use taskfold_domain::Change;
use taskfold_domain::ids::{CommentId, TaskId};
use taskfold_domain::limits::COMMENT_VERSIONS;
use taskfold_domain::task::TYPE;
use taskfold_event_log::{EventRow, LoggedEvent};
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};

use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::feed;
use crate::http::page::Page;
use crate::http::pending::Target;
use crate::http::read_request::MinPosition;
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;

/// The Changes of one comment, newest first, also if it is removed: at most the latest 200.
#[utoipa::path(
    get, path = "/v1/tasks/{task_id}/comments/{comment_id}/history", operation_id = "getCommentHistory", tag = "tasks",
    params(
        ("task_id" = Uuid, Path, description = "the task"),
        ("comment_id" = Uuid, Path, description = "the comment"),
        MinPosition,
        ReadHeaders
    ),
    responses((status = 200, description = "The Changes", body = Page<Change>), (status = 304, description = "Not modified"), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Path((task_id, comment_id)): Path<(TaskId, CommentId)>,
    Query(query): Query<MinPosition>,
) -> Result<ReadResponse, ReadError> {
    let mut lookup = request.lookup(&app, query.min_position);
    let (snapshot, events) = loop {
        let (mut snapshot, _) = lookup.member(Target::Task(task_id)).await?;
        let events = sqlx::query_as!(
            EventRow,
            r#"
            SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version,
                   payload::text AS "payload!", words AS "words: _", project_id, actor_id, command_id,
                   occurred_at AS "occurred_at: _", recorded_at AS "recorded_at: _", traceparent
            FROM events
            WHERE aggregate_type = $1 AND aggregate_id = $2 AND position <= $3
              AND event_type IN ('task.commented', 'task.comment_edited', 'task.comment_removed')
              AND $4 IN (payload #>> '{changes,comment,to,id}', payload #>> '{changes,comment,from,id}')
            ORDER BY sequence DESC LIMIT $5
            "#,
            TYPE,
            task_id.to_string(),
            snapshot.position,
            comment_id.to_string(),
            COMMENT_VERSIONS,
        )
        .map(LoggedEvent::from)
        .fetch_all(&mut *snapshot.db)
        .await?;
        match events.is_empty() {
            true => lookup.retry(snapshot, Target::TaskPart(task_id)).await?,
            false => break (snapshot, events),
        }
    };
    let items: Vec<Box<RawValue>> = feed::changes(&events)?;
    ReadResponse::page(&request, snapshot, &Page::complete(items)).await
}
