use axum::extract::State;
use serde::Serialize;
use taskfold_domain::ids::TeamId;
use taskfold_domain::team::TeamRole;
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

/// Somebody in a team.
#[derive(Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = TeamMember)]
pub struct TeamMemberView {
    user_id: Uuid,
    /// Null when the account was erased.
    username: Option<String>,
    display_name: Option<String>,
    #[schema(value_type = TeamRole)]
    role: Stored<TeamRole>,
    #[serde(skip)]
    sort_key: String,
}

/// Who is in a team, in the order in which they joined.
#[utoipa::path(
    get, path = "/v1/teams/{team_id}/members", operation_id = "listTeamMembers", tag = "teams",
    params(("team_id" = Uuid, Path, description = "the team"), Paging, ReadHeaders),
    responses(
        (status = 200, description = "A page of members", body = Page<TeamMemberView>),
        (status = 304, description = "As before"),
        ReadProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    reading: Reading,
    Path(team_id): Path<TeamId>,
    Query(query): Query<Paging>,
) -> Result<Answer, ReadError> {
    let limit = limit(query.limit)?;
    let list = ListName::new("team members", team_id.0, &());
    let after = list.read(query.cursor.as_deref())?;
    let mut snapshot = reading.team(&app, query.min_position, team_id).await?;
    let rows: Vec<TeamMemberView> = sqlx::query_as(
        "SELECT user_id, username, display_name, role, joined_at::text AS sort_key FROM taskfold_team_people($1) \
         WHERE (joined_at, user_id) > ($2::text::bigint, $3) ORDER BY joined_at, user_id LIMIT $4",
    )
    .bind(team_id.0)
    .bind(after.as_ref().map_or("-1", |c| &c.key))
    .bind(after.as_ref().map_or(Uuid::nil(), |c| c.id))
    .bind(limit + 1)
    .fetch_all(&mut *snapshot.db)
    .await
    .map_err(bad_cursor_or)?;
    let page = list.page(rows, limit, |m| (m.sort_key.clone(), m.user_id), |m| m);
    Answer::page(&reading, snapshot, &page).await
}
