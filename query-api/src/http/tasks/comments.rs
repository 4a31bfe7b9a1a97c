//! `GET /v1/tasks/{task_id}/comments`: the comments on a task.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use taskfold_domain::ids::TaskId;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::app::App;
use crate::http::error::{ReadError, bad_cursor_or};
use crate::http::page::{Keyset, Page, Paging};
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;

/// A comment on a task.
#[derive(Serialize, ToSchema)]
#[schema(as = Comment)]
pub struct CommentView {
    id: Uuid,
    author_id: Uuid,
    text: String,
    /// Members mentioned in the text.
    mentions: Vec<Uuid>,
    created_at: DateTime<Utc>,
    edited_at: Option<DateTime<Utc>>,
    /// Oldest first.
    #[schema(value_type = Vec<CommentReaction>)]
    reactions: Json<Vec<CommentReaction>>,
    #[serde(skip)]
    sort_key: String,
}

/// A user's reaction to a comment.
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
    let list = Keyset::of("comments", task_id.0, &query)?;
    let (mut snapshot, _) = request.task(&app, query.min_position, task_id).await?;
    let rows = sqlx::query_as!(
        CommentView,
        r#"
        SELECT comment_id AS id, author_id, text, mentions, created_at, edited_at, reactions AS "reactions: _",
               position::text AS "sort_key!"
        FROM comments
        WHERE task_id = $1 AND (position, comment_id) > ($2::text::bigint, $3)
        ORDER BY position, comment_id LIMIT $4
        "#,
        task_id.0,
        list.key("-1"),
        list.id(),
        list.row_limit(),
    )
    .fetch_all(&mut *snapshot.db)
    .await
    .map_err(bad_cursor_or)?;
    let page = list.page(rows, |c| (c.sort_key.clone(), c.id), |c| c);
    ReadResponse::page(&request, snapshot, &page).await
}
