//! `GET /v1/projects/{project_id}/presence`: the users who are present in a project.

use std::collections::BTreeSet;

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use taskfold_domain::ids::ProjectId;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::page::{Keyset, Page, Paging};
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;

/// A user who is present, on one or more devices.
#[derive(Serialize, ToSchema)]
#[schema(as = Present)]
pub struct PresentView {
    user_id: Uuid,
    /// Null if the account was erased.
    username: Option<String>,
    display_name: Option<String>,
    /// The tasks that the user's devices show.
    focus: BTreeSet<Uuid>,
    /// Number of the user's devices.
    #[schema(example = 1)]
    devices: usize,
    /// Time of the last change. A frame of the stream with a later `at` replaces this entry.
    at: DateTime<Utc>,
}

#[derive(Serialize, ToSchema)]
pub struct PresencePage {
    #[serde(flatten)]
    page: Page<PresentView>,
    /// Number of present users, on all pages.
    total: i64,
}

/// The users who are present in the project, ordered by id. Read it after the stream's `hello`, and again after
/// `presence.stale`.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}/presence", operation_id = "listPresence", tag = "presence",
    params(("project_id" = Uuid, Path, description = "the project"), Paging, ReadHeaders),
    responses(
        (status = 200, description = "A page of present users", body = PresencePage),
        (status = 304, description = "Not modified"),
        ReadProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Path(project_id): Path<ProjectId>,
    Query(query): Query<Paging>,
) -> Result<ReadResponse, ReadError> {
    let list = Keyset::of("presence", project_id.0, &query)?;
    let (mut snapshot, _) = request.project(&app, query.min_position, project_id).await?;
    let mut present = app.presence.present(project_id.0);
    let ids: Vec<Uuid> = present.keys().copied().collect();
    // Only members are listed, with their names, as in every list of people.
    let total = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM taskfold_people($1) WHERE user_id = ANY ($2)"#,
        project_id.0,
        &ids,
    )
    .fetch_one(&mut *snapshot.db)
    .await?;
    let rows = sqlx::query!(
        r#"
        SELECT user_id AS "user_id!", username, display_name FROM taskfold_people($1)
        WHERE user_id = ANY ($2) AND user_id > $3
        ORDER BY user_id LIMIT $4
        "#,
        project_id.0,
        &ids,
        list.id(),
        list.row_limit(),
    )
    .map(|person| {
        let view = present.remove(&person.user_id).unwrap_or_default();
        let at = DateTime::from_timestamp_millis(view.at).unwrap_or_default();
        PresentView {
            user_id: person.user_id,
            username: person.username,
            display_name: person.display_name,
            focus: view.focus,
            devices: view.devices,
            at,
        }
    })
    .fetch_all(&mut *snapshot.db)
    .await?;
    let page = list.page(rows, |person| (String::new(), person.user_id), |person| person);
    let body = PresencePage { page, total };
    ReadResponse::list(&request, snapshot, &body, body.page.next_cursor.as_deref()).await
}
