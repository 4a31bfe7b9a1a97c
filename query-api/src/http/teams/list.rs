//! `GET /v1/teams`: the caller's teams.

use axum::extract::State;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::Query;

use super::get::{TeamView, select_teams};
use crate::http::app::App;
use crate::http::error::{ReadError, bad_cursor_or};
use crate::http::page::{Keyset, Page, Paging};
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;

/// The caller's teams, oldest first.
#[utoipa::path(
    get, path = "/v1/teams", operation_id = "listTeams", tag = "teams",
    params(Paging, ReadHeaders),
    responses(
        (status = 200, description = "A page of teams", body = Page<TeamView>),
        (status = 304, description = "Not modified"),
        ReadProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Query(query): Query<Paging>,
) -> Result<ReadResponse, ReadError> {
    request.caller.must_reach_everything()?;
    let list = Keyset::of("teams", request.caller.user_id.0, &query)?;
    let mut snapshot = request.snapshot(&app, query.min_position).await?;
    let rows = select_teams!(
        r#"
            JOIN team_members mine ON mine.team_id = t.team_id AND mine.user_id = taskfold_user()
            WHERE (t.created_at, t.team_id) > ($1::text::timestamptz, $2)
            ORDER BY t.created_at, t.team_id LIMIT $3
        "#,
        list.key("-infinity"),
        list.id(),
        list.row_limit()
    )
    .fetch_all(&mut *snapshot.db)
    .await
    .map_err(bad_cursor_or)?;
    let page = list.page(rows, |t| (t.sort_key.clone(), t.id), |t| t);
    ReadResponse::page(&request, snapshot, &page).await
}
