use std::collections::BTreeSet;

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use taskfold_domain::ids::ProjectId;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::answer::Answer;
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::page::{ListName, Page, Paging, limit};
use crate::http::reading::{ReadHeaders, Reading};

/// Somebody who is there, on one device or several.
#[derive(Serialize, ToSchema)]
#[schema(as = Present)]
pub struct PresentView {
    user_id: Uuid,
    /// Null when the account was erased.
    username: Option<String>,
    display_name: Option<String>,
    /// The tasks that their devices look at.
    focus: BTreeSet<Uuid>,
    /// How many devices they are there with.
    #[schema(example = 1)]
    devices: usize,
    /// Since when it is so. A frame of the stream with a later `at` replaces this.
    at: DateTime<Utc>,
}

#[derive(Serialize, ToSchema)]
pub struct PresencePage {
    #[serde(flatten)]
    page: Page<PresentView>,
    /// How many there are on all pages.
    total: i64,
}

/// Who is there right now, in the order of their ids. Read it after the stream's `hello`, and again after `presence.stale`.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}/presence", operation_id = "listPresence", tag = "presence",
    params(("project_id" = Uuid, Path, description = "the project"), Paging, ReadHeaders),
    responses(
        (status = 200, description = "A page of those who are there", body = PresencePage),
        (status = 304, description = "As before"),
        ReadProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    reading: Reading,
    Path(project_id): Path<ProjectId>,
    Query(query): Query<Paging>,
) -> Result<Answer, ReadError> {
    let limit = limit(query.limit)?;
    let list = ListName::new("presence", project_id.0, &());
    let after = list.read(query.cursor.as_deref())?;
    let (mut snapshot, _) = reading.project(&app, query.min_position, project_id).await?;
    let mut present = app.presence.present(project_id.0);
    let ids: Vec<Uuid> = present.keys().copied().collect();
    // Of those who are there, members alone, and their names: as every read of people.
    let total: i64 = sqlx::query_scalar("SELECT count(*) FROM taskfold_people($1) WHERE user_id = ANY ($2)")
        .bind(project_id.0)
        .bind(&ids)
        .fetch_one(&mut *snapshot.db)
        .await?;
    let rows: Vec<(Uuid, Option<String>, Option<String>)> = sqlx::query_as(
        "SELECT user_id, username, display_name FROM taskfold_people($1) \
         WHERE user_id = ANY ($2) AND user_id > $3 ORDER BY user_id LIMIT $4",
    )
    .bind(project_id.0)
    .bind(&ids)
    .bind(after.map_or(Uuid::nil(), |c| c.id))
    .bind(limit + 1)
    .fetch_all(&mut *snapshot.db)
    .await?;
    let page = list.page(
        rows,
        limit,
        |(user, ..)| (String::new(), *user),
        |(user_id, username, display_name)| {
            let view = present.remove(&user_id).unwrap_or_default();
            let at = DateTime::from_timestamp_millis(view.at).unwrap_or_default();
            PresentView { user_id, username, display_name, focus: view.focus, devices: view.devices, at }
        },
    );
    let body = PresencePage { page, total };
    Answer::list(&reading, snapshot, &body, body.page.next_cursor.as_deref()).await
}
