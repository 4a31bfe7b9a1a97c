//! `GET /v1/teams/{team_id}/events`: the Changes of a team, in pages.

use axum::extract::State;
use serde::Deserialize;
use taskfold_domain::ids::TeamId;
use taskfold_domain::team::TYPE;
use taskfold_event_log::{EventRow, LoggedEvent};
use taskfold_live::Cursor;
use taskfold_web::problem::FeedProblems;
use taskfold_web::read::{Path, Query};
use utoipa::IntoParams;

use crate::http::app::App;
use crate::http::error::{ReadError, cursor_ahead};
use crate::http::feed;
use crate::http::page::bounded;
use crate::http::projects::events::FeedPage;
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;
use crate::http::values::{Position, Since};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// The position after which to start. The default 0 is the start of the log.
    #[param(value_type = Option<String>, example = "1042")]
    since: Option<Since>,
    /// Number of Changes, from 1 to 1000; 500 by default.
    limit: Option<i64>,
    /// Minimum position that the response must reflect.
    #[param(value_type = Option<u64>)]
    min_position: Option<Position>,
}

/// The Changes of a team after a position, in order. The channel `me` of `/v1/stream` delivers them as they happen.
#[utoipa::path(
    get, path = "/v1/teams/{team_id}/events", operation_id = "listTeamEvents", tag = "feed",
    params(("team_id" = Uuid, Path, description = "the team"), Params, ReadHeaders),
    responses((status = 200, description = "A page of Changes", body = FeedPage), (status = 304, description = "Not modified"), FeedProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Path(team_id): Path<TeamId>,
    Query(query): Query<Params>,
) -> Result<ReadResponse, ReadError> {
    request.caller.must_reach_everything()?;
    let limit = bounded("/limit", query.limit, 500, 1000)?;
    let since = query.since.map_or(Ok(0), |since| since.resume(&app.hub).map(Cursor::position))?;
    let mut snapshot = request.team(&app, query.min_position, team_id).await?;
    let head = snapshot.position;
    if since > head {
        return Err(cursor_ahead(head));
    }
    let mut events = sqlx::query_as!(
        EventRow,
        r#"
        SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version,
               payload::text AS "payload!", words AS "words: _", project_id, actor_id, command_id,
               occurred_at AS "occurred_at: _", recorded_at AS "recorded_at: _", traceparent
        FROM events
        WHERE aggregate_type = $1 AND aggregate_id = $2 AND position > $3 AND position <= $4
        ORDER BY sequence LIMIT $5
        "#,
        TYPE,
        team_id.to_string(),
        since,
        head,
        limit + 1,
    )
    .map(LoggedEvent::from)
    .fetch_all(&mut *snapshot.db)
    .await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = events.len() > limit;
    events.truncate(limit);
    let next = events.last().filter(|_| has_more).map_or(head, |last| last.position);
    let page = FeedPage { events: feed::changes(&events)?, next, head, has_more };
    page.respond(&request, snapshot).await
}
