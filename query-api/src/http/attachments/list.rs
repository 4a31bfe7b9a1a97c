use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
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

/// A file on a task.
#[derive(Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = Attachment)]
pub struct AttachmentView {
    #[sqlx(rename = "attachment_id")]
    id: Uuid,
    author_id: Uuid,
    #[schema(example = "notes.pdf")]
    file_name: String,
    /// As its author gave it.
    #[schema(example = "application/pdf")]
    content_type: String,
    /// In bytes.
    size: i64,
    /// In hexadecimal; quoted, it is the `ETag` of the content.
    sha256: String,
    created_at: DateTime<Utc>,
    #[serde(skip)]
    sort_key: String,
}

/// The files on a task, oldest first.
#[utoipa::path(
    get, path = "/v1/tasks/{task_id}/attachments", operation_id = "listAttachments", tag = "attachments",
    params(("task_id" = Uuid, Path, description = "the task"), Paging, ReadHeaders),
    responses(
        (status = 200, description = "A page of attachments", body = Page<AttachmentView>),
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
    let list = ListName::new("attachments", task_id.0, &());
    let after = list.read(query.cursor.as_deref())?;
    let (mut snapshot, _) = reading.task(&app, query.min_position, task_id).await?;
    let rows: Vec<AttachmentView> = sqlx::query_as(
        "SELECT attachment_id, author_id, file_name, content_type, size, sha256, created_at, position::text AS sort_key \
         FROM attachments WHERE task_id = $1 AND (position, attachment_id) > ($2::text::bigint, $3) \
         ORDER BY position, attachment_id LIMIT $4",
    )
    .bind(task_id.0)
    .bind(after.as_ref().map_or("-1", |c| &c.key))
    .bind(after.as_ref().map_or(Uuid::nil(), |c| c.id))
    .bind(limit + 1)
    .fetch_all(&mut *snapshot.db)
    .await
    .map_err(bad_cursor_or)?;
    let page = list.page(rows, limit, |a| (a.sort_key.clone(), a.id), |a| a);
    Answer::page(&reading, snapshot, &page).await
}
