//! `GET /v1/projects/{project_id}/events`: the Changes of a project, in pages.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use taskfold_domain::Change;
use taskfold_domain::ids::ProjectId;
use taskfold_domain::limits::{CHANGES_DEFAULT, CHANGES_MAX};
use taskfold_live::{ChannelId, Cursor};
use taskfold_web::auth::Rejected;
use taskfold_web::problem::FeedProblems;
use taskfold_web::read::{Path, Query};
use taskfold_web::{Problem, deadline};
use tokio::sync::Notify;
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

use crate::http::app::App;
use crate::http::error::{ReadError, cursor_ahead};
use crate::http::etag::digest;
use crate::http::feed;
use crate::http::page::bounded;
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;
use crate::http::snapshot::Snapshot;
use crate::http::values::{Position, Since};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// The position after which to start: that of a read, or `next` of the previous page. The default 0 is the start of
    /// the log.
    #[param(value_type = Option<String>, example = "1042")]
    since: Option<Since>,
    /// Number of Changes, from 1 to 1000; 500 by default.
    limit: Option<i64>,
    /// Minimum position that the response must reflect.
    #[param(value_type = Option<u64>)]
    min_position: Option<Position>,
}

/// A page of the feed of a project or a team.
#[derive(Serialize, ToSchema)]
pub struct FeedPage {
    #[schema(value_type = Vec<Change>)]
    pub events: Vec<Box<RawValue>>,
    /// The `since` of the next page. It also advances past events of other projects.
    #[schema(example = 1042)]
    pub next: i64,
    /// The last position of the log that can be read.
    #[schema(example = 1042)]
    pub head: i64,
    /// The next page has Changes already.
    pub has_more: bool,
}

impl FeedPage {
    /// The tag covers everything but the head, which advances with events of other projects. It is weak for that
    /// reason.
    pub async fn respond(&self, request: &ReadRequest, snapshot: Snapshot) -> Result<ReadResponse, ReadError> {
        let Self { events, next, head: _, has_more } = self;
        let etag = format!("W/\"{}\"", digest(&serde_json::to_vec(&(events, next, has_more))?));
        Ok(ReadResponse::tagged(request, snapshot, etag, serde_json::to_vec(self)?).await)
    }
}

/// The Changes of a project after a position, in order. A page that is followed by another keeps its `ETag` while its
/// Changes stay the same (a cached page has the `head` of its time). With `Prefer: wait=n`, an empty page waits up to n
/// seconds for the next Change.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}/events", operation_id = "listEvents", tag = "feed",
    params(("project_id" = Uuid, Path, description = "the project"), Params, ReadHeaders),
    responses(
        (status = 200, description = "A page of Changes", body = FeedPage),
        (status = 304, description = "Not modified"),
        FeedProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Path(project_id): Path<ProjectId>,
    Query(query): Query<Params>,
) -> Result<ReadResponse, ReadError> {
    let limit = bounded("/limit", query.limit, CHANGES_DEFAULT, CHANGES_MAX)?;
    let since = query.since.map_or(Ok(0), |since| since.resume(&app.hub).map(Cursor::position))?;
    deadline::allow(request.wait());
    let until = Instant::now() + request.wait();
    let wake = Arc::new(Notify::new());
    let mut subscription = None;
    let caller = request.caller;
    loop {
        let (mut snapshot, _) = request.project(&app, query.min_position, project_id).await?;
        if since > snapshot.position {
            snapshot = wait_for_position(&app, &request, snapshot, since).await?;
        }
        let page = page(&mut snapshot, project_id, since, limit).await?;
        let is_waiting = page.events.is_empty() && Instant::now() < until;
        if !is_waiting || app.shutdown.is_cancelled() {
            return page.respond(&request, snapshot).await;
        }
        // Not held while waiting.
        snapshot.close().await;
        if subscription.is_none() {
            // Reads once more: an event from before the subscription does not wake it.
            subscription = Some(app.hub.subscribe(ChannelId::Project(project_id.0), &wake));
        } else {
            tokio::select! {
                () = wake.notified() => {}
                () = tokio::time::sleep_until(until) => {}
                () = app.shutdown.cancelled() => {}
                // A wait of half a minute must not outlast the token.
                () = app.verifier.revoked(caller.user_id, caller.means) => {
                    return Err(Problem::from(Rejected::Ended).into());
                }
            }
        }
    }
}

/// Waits for a position that the log has and the read tables do not: a command has just returned it.
async fn wait_for_position(
    app: &App,
    request: &ReadRequest,
    mut snapshot: Snapshot,
    since: i64,
) -> Result<Snapshot, ReadError> {
    let head = taskfold_event_log::head(&mut *snapshot.db).await?;
    snapshot.close().await;
    if since > head {
        return Err(cursor_ahead(head));
    }
    request.snapshot_from(app, since).await
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
