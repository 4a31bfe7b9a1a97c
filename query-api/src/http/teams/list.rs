use axum::extract::State;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::Query;
use uuid::Uuid;

use super::get::{TeamView, select_teams};
use crate::http::answer::Answer;
use crate::http::app::App;
use crate::http::error::{ReadError, bad_cursor_or};
use crate::http::page::{ListName, Page, Paging, limit};
use crate::http::reading::{ReadHeaders, Reading};

/// The teams that the caller is in, oldest first.
#[utoipa::path(
    get, path = "/v1/teams", operation_id = "listTeams", tag = "teams",
    params(Paging, ReadHeaders),
    responses(
        (status = 200, description = "A page of teams", body = Page<TeamView>),
        (status = 304, description = "As before"),
        ReadProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    reading: Reading,
    Query(query): Query<Paging>,
) -> Result<Answer, ReadError> {
    let limit = limit(query.limit)?;
    let list = ListName::new("teams", reading.caller.user_id.0, &());
    let after = list.read(query.cursor.as_deref())?;
    let mut snapshot = reading.snapshot(&app, query.min_position).await?;
    let rows: Vec<TeamView> = sqlx::query_as(select_teams!(
        "JOIN team_members mine ON mine.team_id = t.team_id AND mine.user_id = taskfold_user() \
         WHERE (t.created_at, t.team_id) > ($1::text::timestamptz, $2) ORDER BY t.created_at, t.team_id LIMIT $3"
    ))
    .bind(after.as_ref().map_or("-infinity", |c| &c.key))
    .bind(after.as_ref().map_or(Uuid::nil(), |c| c.id))
    .bind(limit + 1)
    .fetch_all(&mut *snapshot.db)
    .await
    .map_err(bad_cursor_or)?;
    let page = list.page(rows, limit, |t| (t.sort_key.clone(), t.id), |t| t);
    Answer::page(&reading, snapshot, &page).await
}
