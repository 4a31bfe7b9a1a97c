//! `GET /v1/teams/{team_id}/members`: the members of a team.

use axum::extract::State;
use serde::Serialize;
use taskfold_domain::ids::TeamId;
use taskfold_domain::team::TeamRole;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::app::App;
use crate::http::error::{ReadError, bad_cursor_or};
use crate::http::page::{Keyset, Page, Paging};
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;
use crate::http::text_enum::TextEnum;

/// A member of a team.
#[derive(Serialize, ToSchema)]
#[schema(as = TeamMember)]
pub struct TeamMemberView {
    user_id: Uuid,
    /// Null if the account was erased.
    username: Option<String>,
    display_name: Option<String>,
    #[schema(value_type = TeamRole)]
    role: TextEnum<TeamRole>,
    #[serde(skip)]
    sort_key: String,
}

/// The members of a team, in the order in which they joined.
#[utoipa::path(
    get, path = "/v1/teams/{team_id}/members", operation_id = "listTeamMembers", tag = "teams",
    params(("team_id" = Uuid, Path, description = "the team"), Paging, ReadHeaders),
    responses(
        (status = 200, description = "A page of members", body = Page<TeamMemberView>),
        (status = 304, description = "Not modified"),
        ReadProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Path(team_id): Path<TeamId>,
    Query(query): Query<Paging>,
) -> Result<ReadResponse, ReadError> {
    request.caller.must_reach_everything()?;
    let list = Keyset::of("team members", team_id.0, &query)?;
    let mut snapshot = request.team(&app, query.min_position, team_id).await?;
    let rows = sqlx::query_as!(
        TeamMemberView,
        r#"
        SELECT user_id AS "user_id!", username, display_name, role AS "role!: _", joined_at::text AS "sort_key!"
        FROM taskfold_team_people($1)
        WHERE (joined_at, user_id) > ($2::text::bigint, $3)
        ORDER BY joined_at, user_id LIMIT $4
        "#,
        team_id.0,
        list.key("-1"),
        list.id(),
        list.row_limit(),
    )
    .fetch_all(&mut *snapshot.db)
    .await
    .map_err(bad_cursor_or)?;
    let page = list.page(rows, |m| (m.sort_key.clone(), m.user_id), |m| m);
    ReadResponse::page(&request, snapshot, &page).await
}
