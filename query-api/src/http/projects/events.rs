use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use taskfold_domain::Change;
use taskfold_domain::ids::ProjectId;
use taskfold_live::{Channel, Cursor};
use taskfold_web::auth::Rejected;
use taskfold_web::problem::FeedProblems;
use taskfold_web::read::{Path, Query};
use taskfold_web::{Problem, deadline};
use tokio::sync::Notify;
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

use crate::http::answer::{Answer, digest};
use crate::http::app::App;
use crate::http::error::{ReadError, cursor_ahead};
use crate::http::feed;
use crate::http::page::bounded;
use crate::http::reading::{ReadHeaders, Reading, Snapshot};
use crate::http::values::{Position, Since};

const DEFAULT_LIMIT: i64 = 500;
const MAX_LIMIT: i64 = 1000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// The position behind which to go on: that of a read, or `next` of the page before. 0, the default: from the start.
    #[param(value_type = Option<String>, example = "1042")]
    since: Option<Since>,
    /// From 1 to 1000, 500 by default.
    limit: Option<i64>,
    /// Answer only with what reflects this position.
    #[param(value_type = Option<u64>)]
    min_position: Option<Position>,
}

/// A page of the feed of a project or a team.
#[derive(Serialize, ToSchema)]
pub struct FeedPage {
    #[schema(value_type = Vec<Change>)]
    pub events: Vec<Box<RawValue>>,
    /// Send it as the next `since`. It moves on past events of other projects.
    #[schema(example = 1042)]
    pub next: i64,
    /// The last position of the whole log that can be read.
    #[schema(example = 1042)]
    pub head: i64,
    /// Whether there is a next page already.
    pub has_more: bool,
}

impl FeedPage {
    /// The tag is made of all but the head, which moves on with what happens elsewhere; so it is a weak one.
    pub async fn answer(&self, reading: &Reading, snapshot: Snapshot) -> Result<Answer, ReadError> {
        let Self { events, next, head: _, has_more } = self;
        let etag = format!("W/\"{}\"", digest(&serde_json::to_vec(&(events, next, has_more))?));
        Ok(Answer::tagged(reading, snapshot, etag, serde_json::to_vec(self)?).await)
    }
}

/// The Changes of a project behind a position, in order. A page with more behind it keeps its `ETag` while its Changes stay as
/// they are (`head` in a page that is kept is as it was then). With `Prefer: wait=n` and nothing there, answers as soon as
/// something is, or empty after n seconds.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}/events", operation_id = "listEvents", tag = "feed",
    params(("project_id" = Uuid, Path, description = "the project"), Params, ReadHeaders),
    responses(
        (status = 200, description = "A page of Changes", body = FeedPage),
        (status = 304, description = "As before"),
        FeedProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    reading: Reading,
    Path(project_id): Path<ProjectId>,
    Query(query): Query<Params>,
) -> Result<Answer, ReadError> {
    let limit = bounded("/limit", query.limit, DEFAULT_LIMIT, MAX_LIMIT)?;
    let since = query.since.map_or(Ok(0), |since| since.resume(&app.hub).map(Cursor::position))?;
    deadline::allow(reading.patience());
    let until = Instant::now() + reading.patience();
    let wake = Arc::new(Notify::new());
    let mut seat = None;
    loop {
        let (mut snapshot, _) = reading.project(&app, query.min_position, project_id).await?;
        if since > snapshot.position {
            snapshot = behind_or_ahead(&app, &reading, snapshot, since).await?;
        }
        let page = page(&mut snapshot, project_id, since, limit).await?;
        let waits = page.events.is_empty() && Instant::now() < until;
        if !waits || app.shutdown.is_cancelled() {
            return page.answer(&reading, snapshot).await;
        }
        // Nobody holds a connection to the database while waiting.
        snapshot.close().await;
        if seat.is_none() {
            // Then look once more: what came before this wakes nobody.
            seat = Some(app.hub.join(Channel::Project(project_id.0), &wake));
        } else {
            tokio::select! {
                () = wake.notified() => {}
                () = tokio::time::sleep_until(until) => {}
                () = app.shutdown.cancelled() => {}
                // Who waits half a minute does not outlast their token by it.
                () = app.verifier.revoked(reading.caller.means) => return Err(Problem::from(Rejected::Invalid).into()),
            }
        }
    }
}

/// A position that the log has but the read tables have not is waited for: a command just answered it.
async fn behind_or_ahead(
    app: &App,
    reading: &Reading,
    mut snapshot: Snapshot,
    since: i64,
) -> Result<Snapshot, ReadError> {
    let head = taskfold_event_log::head(&mut *snapshot.db).await?;
    snapshot.close().await;
    if since > head {
        return Err(cursor_ahead(head));
    }
    reading.snapshot_from(app, since).await
}

async fn page(snapshot: &mut Snapshot, project: ProjectId, since: i64, limit: i64) -> Result<FeedPage, ReadError> {
    let head = snapshot.position;
    let mut events =
        taskfold_event_log::project_page_after(&mut *snapshot.db, &[project.0], since, head, limit + 1).await?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = events.len() > limit;
    events.truncate(limit);
    let next = events.last().filter(|_| has_more).map_or(head, |last| last.position);
    Ok(FeedPage { events: feed::changes(&events)?, next, head, has_more })
}
