use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use taskfold_domain::ids::TeamId;
use taskfold_domain::team::TeamRole;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::answer::Answer;
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::me::AtLeast;
use crate::http::reading::{ReadHeaders, Reading};
use crate::http::stored::Stored;

/// A team.
#[derive(Debug, Serialize, ToSchema, sqlx::FromRow)]
#[schema(as = Team)]
pub struct TeamView {
    #[sqlx(rename = "team_id")]
    pub id: Uuid,
    name: String,
    /// Null for who is not in it, and sees it because a project of theirs gives it a role.
    #[schema(value_type = Option<TeamRole>)]
    my_role: Option<Stored<TeamRole>>,
    member_count: i64,
    created_at: DateTime<Utc>,
    created_by: Uuid,
    /// For `If-Match`.
    version: i64,
    #[serde(skip)]
    pub sort_key: String,
}

macro_rules! select_teams {
    ($rest:literal) => {
        concat!(
            "SELECT t.team_id, t.name, \
                    (SELECT m.role FROM team_members m WHERE m.team_id = t.team_id AND m.user_id = taskfold_user()) AS my_role, \
                    (SELECT count(*) FROM team_members m WHERE m.team_id = t.team_id) AS member_count, \
                    t.created_at, t.created_by, t.version, t.created_at::text AS sort_key FROM teams t ",
            $rest
        )
    };
}
pub(super) use select_teams;

/// A team: one's own, or one that has a role in a project of one's own.
#[utoipa::path(
    get, path = "/v1/teams/{team_id}", operation_id = "getTeam", tag = "teams",
    params(("team_id" = Uuid, Path, description = "the team"), AtLeast, ReadHeaders),
    responses((status = 200, description = "The team", body = TeamView), (status = 304, description = "As before"), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    reading: Reading,
    Path(team_id): Path<TeamId>,
    Query(query): Query<AtLeast>,
) -> Result<Answer, ReadError> {
    let mut snapshot = reading.team(&app, query.min_position, team_id).await?;
    let team: TeamView =
        sqlx::query_as(select_teams!("WHERE t.team_id = $1")).bind(team_id.0).fetch_one(&mut *snapshot.db).await?;
    Answer::versioned(&reading, snapshot, team.version, &team).await
}
