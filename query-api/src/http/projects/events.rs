use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use taskfold_domain::Change;
use taskfold_domain::ids::ProjectId;
use taskfold_openapi::auth::Rejected;
use taskfold_openapi::problem::FeedProblems;
use taskfold_openapi::read::{Path, Query};
use taskfold_openapi::{Problem, deadline};
use tokio::sync::Notify;
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

use crate::http::answer::Answer;
use crate::http::app::App;
use crate::http::error::{ReadError, cursor_ahead};
use crate::http::feed;
use crate::http::page::bounded;
use crate::http::reading::{ReadHeaders, Reading, Snapshot};
use crate::http::values::Position;
use crate::live::Channel;

const DEFAULT_LIMIT: i64 = 500;
const MAX_LIMIT: i64 = 1000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// The position behind which to go on: that of a read, or `next` of the page before. 0, the default: from the start.
    #[param(value_type = Option<u64>)]
    since: Option<Position>,
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

/// The Changes of a project behind a position, in order. A page with more behind it never changes: it may be kept for good, and
/// its `ETag` is answered with 304 from the tag alone (`head` in it is as it was then). With `Prefer: wait=n` and nothing there, answers as soon as
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
    let since = query.since.map_or(0, |p| p.0);
    deadline::allow(reading.patience());
    let until = Instant::now() + reading.patience();
    let wake = Arc::new(Notify::new());
    let mut seat = None;
    let mut snapshot = reading.snapshot(&app, query.min_position).await?;
    let full = FullPage { project_id, since, limit };
    loop {
        snapshot.project(project_id).await?;
        if let Some(tag) = reading.if_none_match.as_deref().and_then(|tags| full.known(tags)) {
            return Ok(Answer::tagged(&reading, snapshot, tag, Vec::new()).await.forever());
        }
        if since > snapshot.position {
            snapshot = behind_or_ahead(&app, &reading, snapshot, since).await?;
        }
        let page = page(&mut snapshot, project_id, since, limit).await?;
        if page.has_more {
            let body = serde_json::to_vec(&page)?;
            return Ok(Answer::tagged(&reading, snapshot, full.tag(page.next), body).await.forever());
        }
        let waits = page.events.is_empty() && Instant::now() < until;
        if !waits || app.shutdown.is_cancelled() {
            return Answer::new(&reading, snapshot, &page).await;
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
        snapshot = reading.snapshot(&app, query.min_position).await?;
    }
}

/// A page as full as it can be. The log is only ever added to, so its events stay the same, and its tag is made of what was
/// asked for and where the page ends.
struct FullPage {
    project_id: ProjectId,
    since: i64,
    limit: i64,
}

impl FullPage {
    fn tag(&self, next: i64) -> String {
        let Self { project_id, since, limit } = self;
        format!("\"{}.{since}.{limit}.{next}.{}\"", project_id.0.simple(), env!("CARGO_PKG_VERSION"))
    }

    /// The one of these tags that is of this page. Only we make them: who makes one up cheats nobody else.
    fn known(&self, if_none_match: &str) -> Option<String> {
        if_none_match.split(',').map(|tag| tag.trim().trim_start_matches("W/")).find_map(|tag| {
            let next = tag.split('.').nth(3)?.parse().ok()?;
            (self.tag(next) == tag).then(|| tag.to_owned())
        })
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
