use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use taskfold_domain::ids::TaskId;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::answer::Answer;
use crate::http::app::App;
use crate::http::error::{ReadError, bad_cursor_or};
use crate::http::page::{ListName, Page, Paging, limit};
use crate::http::reading::{ReadHeaders, Reading};

/// A comment on a task.
#[derive(Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = Comment)]
pub struct CommentView {
    #[sqlx(rename = "comment_id")]
    id: Uuid,
    author_id: Uuid,
    text: String,
    /// Members named in the text.
    mentions: Vec<Uuid>,
    created_at: DateTime<Utc>,
    edited_at: Option<DateTime<Utc>>,
    /// In the order they came.
    #[schema(value_type = Vec<CommentReaction>)]
    reactions: Json<Vec<CommentReaction>>,
    #[serde(skip)]
    sort_key: String,
}

/// Somebody's reaction to a comment.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CommentReaction {
    emoji: String,
    user_id: Uuid,
}

/// The comments on a task, oldest first.
#[utoipa::path(
    get, path = "/v1/tasks/{task_id}/comments", operation_id = "listComments", tag = "tasks",
    params(("task_id" = Uuid, Path, description = "the task"), Paging, ReadHeaders),
    responses(
        (status = 200, description = "A page of comments", body = Page<CommentView>),
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
    let list = ListName::new("comments", task_id.0, &());
    let after = list.read(query.cursor.as_deref())?;
    let (mut snapshot, _) = reading.task(&app, query.min_position, task_id).await?;
    let rows: Vec<CommentView> = sqlx::query_as(
        "SELECT comment_id, author_id, text, mentions, created_at, edited_at, reactions, position::text AS sort_key \
         FROM comments WHERE task_id = $1 AND (position, comment_id) > ($2::text::bigint, $3) \
         ORDER BY position, comment_id LIMIT $4",
    )
    .bind(task_id.0)
    .bind(after.as_ref().map_or("-1", |c| &c.key))
    .bind(after.as_ref().map_or(Uuid::nil(), |c| c.id))
    .bind(limit + 1)
    .fetch_all(&mut *snapshot.db)
    .await
    .map_err(bad_cursor_or)?;
    let page = list.page(rows, limit, |c| (c.sort_key.clone(), c.id), |c| c);
    Answer::page(&reading, snapshot, &page).await
}
