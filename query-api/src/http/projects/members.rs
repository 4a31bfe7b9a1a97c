use axum::extract::State;
use serde::Serialize;
use taskfold_domain::Role;
use taskfold_domain::ids::ProjectId;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::answer::Answer;
use crate::http::app::App;
use crate::http::error::{ReadError, bad_cursor_or};
use crate::http::page::{ListName, Page, Paging, limit};
use crate::http::reading::{ReadHeaders, Reading};
use crate::http::stored::Stored;

/// A member of a project.
#[derive(Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = Member)]
pub struct MemberView {
    user_id: Uuid,
    /// Null when the account was erased.
    username: Option<String>,
    display_name: Option<String>,
    /// The highest of their own and those of their teams.
    #[schema(value_type = Role)]
    role: Stored<Role>,
    /// Null for who is there through teams alone.
    #[schema(value_type = Option<Role>)]
    own_role: Option<Stored<Role>>,
    /// The teams through which they (also) have a role.
    team_ids: Vec<Uuid>,
    #[serde(skip)]
    sort_key: String,
}

/// The members of a project, in the order in which they joined.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}/members", operation_id = "listMembers", tag = "projects",
    params(("project_id" = Uuid, Path, description = "the project"), Paging, ReadHeaders),
    responses(
        (status = 200, description = "A page of members", body = Page<MemberView>),
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
    let list = ListName::new("members", project_id.0, &());
    let after = list.read(query.cursor.as_deref())?;
    let (mut snapshot, _) = reading.project(&app, query.min_position, project_id).await?;
    let rows: Vec<MemberView> = sqlx::query_as(
        "SELECT user_id, username, display_name, role, own_role, team_ids, joined_at::text AS sort_key \
         FROM taskfold_people($1) WHERE (joined_at, user_id) > ($2::text::bigint, $3) \
         ORDER BY joined_at, user_id LIMIT $4",
    )
    .bind(project_id.0)
    .bind(after.as_ref().map_or("-1", |c| &c.key))
    .bind(after.as_ref().map_or(Uuid::nil(), |c| c.id))
    .bind(limit + 1)
    .fetch_all(&mut *snapshot.db)
    .await
    .map_err(bad_cursor_or)?;
    let page = list.page(rows, limit, |m| (m.sort_key.clone(), m.user_id), |m| m);
    Answer::page(&reading, snapshot, &page).await
}
