use std::collections::HashMap;

use axum::extract::State;
use serde::Serialize;
use taskfold_domain::ids::ProjectId;
use taskfold_openapi::problem::ReadProblems;
use taskfold_openapi::read::{Path, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::answer::Answer;
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::page::{ListName, Page, Paging, limit};
use crate::http::reading::{ReadHeaders, Reading};

/// Somebody who is here, with whichever devices.
#[derive(Serialize, ToSchema)]
pub struct Present {
    user_id: Uuid,
    username: Option<String>,
    display_name: Option<String>,
    /// How many they are here with.
    #[schema(example = 1)]
    devices: usize,
    /// The tasks that they look at.
    focus: Vec<Uuid>,
}

/// A page of who is here.
#[derive(Serialize, ToSchema)]
pub struct PresentPeople {
    #[serde(flatten)]
    page: Page<Present>,
    /// How many people are here, on all pages.
    #[schema(example = 3)]
    total: usize,
}

/// Who is here now, in the order of their ids.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}/presence", operation_id = "listPresence", tag = "presence",
    params(("project_id" = Uuid, Path, description = "the project"), Paging, ReadHeaders),
    responses(
        (status = 200, description = "A page of people", body = PresentPeople),
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
    let after = list.read(query.cursor.as_deref())?.map(|cursor| cursor.id);
    let mut snapshot = reading.snapshot(&app, query.min_position).await?;
    snapshot.project(project_id).await?;
    let one_more = usize::try_from(limit + 1).unwrap_or(usize::MAX);
    let (people, total) = app.presence.page(project_id.0, after, one_more);
    let ids: Vec<Uuid> = people.iter().map(|person| person.user_id).collect();
    let named: Vec<(Uuid, Option<String>, Option<String>)> =
        sqlx::query_as("SELECT user_id, username, display_name FROM taskfold_people($1) WHERE user_id = ANY ($2)")
            .bind(project_id.0)
            .bind(&ids)
            .fetch_all(&mut *snapshot.db)
            .await?;
    let mut names: HashMap<Uuid, _> = named.into_iter().map(|(id, username, name)| (id, (username, name))).collect();
    let mut page = list.page(
        people,
        limit,
        |person| (String::new(), person.user_id),
        |person| {
            // Whoever lost their place through a team is present for the last moments.
            let (username, display_name) = names.remove(&person.user_id)?;
            let (user_id, devices, focus) = (person.user_id, person.devices, person.focus);
            Some(Present { user_id, username, display_name, devices, focus })
        },
    );
    let items = page.items.drain(..).flatten().collect();
    let next = page.next_cursor;
    let people = PresentPeople { page: Page { items, next_cursor: next.clone() }, total };
    Answer::list(&reading, snapshot, &people, next.as_deref()).await
}
