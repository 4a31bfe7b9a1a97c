//! `GET /v1/teams/{team_id}`: a team.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use taskfold_domain::ids::TeamId;
use taskfold_domain::team::TeamRole;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::read_request::MinPosition;
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;
use crate::http::text_enum::TextEnum;

/// A team.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Team)]
pub struct TeamView {
    pub id: Uuid,
    pub name: String,
    /// Null for a caller who is not a member, and sees the team because it has a role in one of their projects.
    #[schema(value_type = Option<TeamRole>)]
    pub my_role: Option<TextEnum<TeamRole>>,
    pub member_count: i64,
    pub created_at: DateTime<Utc>,
    pub created_by: Uuid,
    /// Version to send as `If-Match`.
    pub version: i64,
    #[serde(skip)]
    pub sort_key: String,
}

/// Selects [`TeamView`]s from `teams t`, continued by the rest of the statement and its arguments.
macro_rules! select_teams {
    ($rest:literal, $($argument:expr),*) => {
        sqlx::query_as!(
            TeamView,
            r#"
            SELECT t.team_id AS id, t.name,
                   (SELECT m.role FROM team_members m WHERE m.team_id = t.team_id AND m.user_id = taskfold_user())
                       AS "my_role: _",
                   (SELECT count(*) FROM team_members m WHERE m.team_id = t.team_id) AS "member_count!",
                   t.created_at, t.created_by, t.version, t.created_at::text AS "sort_key!"
            FROM teams t
            "# + $rest,
            $($argument),*
        )
    };
}
pub(super) use select_teams;

/// A team of the caller, or one that has a role in one of the caller's projects.
#[utoipa::path(
    get, path = "/v1/teams/{team_id}", operation_id = "getTeam", tag = "teams",
    params(("team_id" = Uuid, Path, description = "the team"), MinPosition, ReadHeaders),
    responses((status = 200, description = "The team", body = TeamView), (status = 304, description = "Not modified"), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Path(team_id): Path<TeamId>,
    Query(query): Query<MinPosition>,
) -> Result<ReadResponse, ReadError> {
    request.caller.must_reach_everything()?;
    let mut snapshot = request.team(&app, query.min_position, team_id).await?;
    let team = select_teams!("WHERE t.team_id = $1", team_id.0).fetch_one(&mut *snapshot.db).await?;
    ReadResponse::versioned(&request, snapshot, team.version, &team).await
}
