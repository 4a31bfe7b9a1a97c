use axum::extract::State;
use serde_json::value::RawValue;
use taskfold_domain::Change;
use taskfold_domain::ids::{CommentId, TaskId};
use taskfold_domain::task::TYPE;
use taskfold_event_log::{LoggedEvent, select_events};
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};

use crate::http::answer::Answer;
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::feed;
use crate::http::me::AtLeast;
use crate::http::page::Page;
use crate::http::pending::Thing;
use crate::http::reading::{ReadHeaders, Reading};

/// Edits that are shown: the latest ones.
const MOST: i64 = 200;

/// What was said and how it was edited, newest first: the Changes of one comment, also when it is removed by now. At most the
/// latest 200.
#[utoipa::path(
    get, path = "/v1/tasks/{task_id}/comments/{comment_id}/history", operation_id = "getCommentHistory", tag = "tasks",
    params(
        ("task_id" = Uuid, Path, description = "the task"),
        ("comment_id" = Uuid, Path, description = "the comment"),
        AtLeast,
        ReadHeaders
    ),
    responses((status = 200, description = "The Changes", body = Page<Change>), (status = 304, description = "As before"), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    reading: Reading,
    Path((task_id, comment_id)): Path<(TaskId, CommentId)>,
    Query(query): Query<AtLeast>,
) -> Result<Answer, ReadError> {
    let mut look = reading.look(&app, query.min_position);
    let (snapshot, events) = loop {
        let (mut snapshot, _) = look.member(Thing::Task(task_id)).await?;
        let events: Vec<LoggedEvent> = sqlx::query_as(select_events!(
            "WHERE aggregate_type = $1 AND aggregate_id = $2 AND position <= $3 \
               AND event_type IN ('task.commented', 'task.comment_edited', 'task.comment_removed') \
               AND $4 IN (payload #>> '{changes,comment,to,id}', payload #>> '{changes,comment,from,id}') \
             ORDER BY sequence DESC LIMIT $5"
        ))
        .bind(TYPE)
        .bind(task_id.to_string())
        .bind(snapshot.position)
        .bind(comment_id.to_string())
        .bind(MOST)
        .fetch_all(&mut *snapshot.db)
        .await?;
        match events.is_empty() {
            true => look.again(snapshot, Thing::PartOf(task_id)).await?,
            false => break (snapshot, events),
        }
    };
    let items: Vec<Box<RawValue>> = feed::changes(&events)?;
    Answer::page(&reading, snapshot, &Page { items, next_cursor: None }).await
}
