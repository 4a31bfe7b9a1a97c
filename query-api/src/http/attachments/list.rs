//! `GET /v1/tasks/{task_id}/attachments`: the attachments of a task.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
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

/// A file on a task.
#[derive(Serialize, ToSchema)]
#[schema(as = Attachment)]
pub struct AttachmentView {
    id: Uuid,
    author_id: Uuid,
    #[schema(example = "notes.pdf")]
    file_name: String,
    /// As declared by its author.
    #[schema(example = "application/pdf")]
    content_type: String,
    /// In bytes.
    size: i64,
    /// In hexadecimal. In quotes, it is the `ETag` of the content.
    sha256: String,
    created_at: DateTime<Utc>,
    #[serde(skip)]
    sort_key: String,
}

/// The attachments of a task, oldest first.
#[utoipa::path(
    get, path = "/v1/tasks/{task_id}/attachments", operation_id = "listAttachments", tag = "attachments",
    params(("task_id" = Uuid, Path, description = "the task"), Paging, ReadHeaders),
    responses(
        (status = 200, description = "A page of attachments", body = Page<AttachmentView>),
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
    let list = Keyset::of("attachments", task_id.0, &query)?;
    let (mut snapshot, _) = request.task(&app, query.min_position, task_id).await?;
    let rows = sqlx::query_as!(
        AttachmentView,
        r#"
        SELECT attachment_id AS id, author_id, file_name, content_type, size, sha256, created_at,
               position::text AS "sort_key!"
        FROM attachments
        WHERE task_id = $1 AND (position, attachment_id) > ($2::text::bigint, $3)
        ORDER BY position, attachment_id LIMIT $4
        "#,
        task_id.0,
        list.key("-1"),
        list.id(),
        list.row_limit(),
    )
    .fetch_all(&mut *snapshot.db)
    .await
    .map_err(bad_cursor_or)?;
    let page = list.page(rows, |a| (a.sort_key.clone(), a.id), |a| a);
    ReadResponse::page(&request, snapshot, &page).await
}
