//! Read requests: the caller, the headers of every read, and snapshots that are recent enough.

use std::time::Duration;

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use serde::Deserialize;
use taskfold_domain::ids::{ProjectId, TaskId, TeamId};
use taskfold_domain::limits::{WAIT_DEFAULT_SECONDS, WAIT_MAX_SECONDS};
use taskfold_web::auth::Verifier;
use taskfold_web::headers::{self, Prefer};
use taskfold_web::{Caller, Code, Problem, deadline};
use tokio::time::Instant;
use utoipa::IntoParams;

use super::app::App;
use super::error::ReadError;
use super::etag::digest;
use super::membership::Membership;
use super::pending::{self, Target};
use super::projection::{refreshed, wait_until_projected};
use super::snapshot::Snapshot;
use super::values::Position;

const DEFAULT_WAIT: Duration = Duration::from_secs(WAIT_DEFAULT_SECONDS);
const MAX_WAIT: Duration = Duration::from_secs(WAIT_MAX_SECONDS);

/// Caller and headers of a read.
pub struct ReadRequest {
    pub caller: Caller,
    pub uri: http::Uri,
    pub if_none_match: Option<String>,
    min_position: Option<i64>,
    wait: Option<Duration>,
}

/// Headers of every read.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "documents the headers; `ReadRequest` reads them")]
pub struct ReadHeaders {
    /// Minimum position that the response must reflect, such as that of a command's reply. The query parameter
    /// `min_position` has the same meaning.
    #[param(rename = "Taskfold-Min-Position", example = 1042)]
    min_position: Option<u64>,
    /// `wait=<seconds>`: how long to wait for that position; 2 by default, at most 30.
    #[param(rename = "Prefer", example = "wait=5")]
    prefer: Option<String>,
    /// The `ETag` of an earlier response: 304 if nothing has changed since.
    #[param(rename = "If-None-Match")]
    if_none_match: Option<String>,
}

/// Query parameters of a read that has no others.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MinPosition {
    /// Minimum position that the response must reflect.
    #[param(value_type = Option<u64>)]
    pub min_position: Option<Position>,
}

impl<S> FromRequestParts<S> for ReadRequest
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = ReadError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ReadError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        Self::by(caller, parts)
    }
}

impl ReadRequest {
    /// Builds the request of a caller who is authenticated already.
    pub fn by(caller: Caller, parts: &Parts) -> Result<Self, ReadError> {
        let wait = Prefer::of(&parts.headers).wait_seconds;
        Ok(Self {
            caller,
            uri: parts.uri.clone(),
            if_none_match: headers::one(&parts.headers, "if-none-match")?.map(str::to_owned),
            min_position: Position::of_header(&parts.headers, headers::MIN_POSITION)?,
            wait: wait.map(|seconds| Duration::from_secs(seconds.into()).min(MAX_WAIT)),
        })
    }

    /// Opens a snapshot at the position in the header or in `min_position`, or later, that has everything that the log
    /// has now, if the projection gets there in time: for reads of no single project or task.
    pub async fn snapshot(&self, app: &App, min_position: Option<Position>) -> Result<Snapshot, ReadError> {
        let deadline = self.deadline();
        let snapshot = self.snapshot_by(app, self.minimum(min_position), deadline).await?;
        let head = snapshot.head;
        refreshed(app, &self.caller, snapshot, head, deadline).await
    }

    pub async fn snapshot_from(&self, app: &App, min: i64) -> Result<Snapshot, ReadError> {
        self.snapshot_by(app, min, self.deadline()).await
    }

    fn minimum(&self, min_position: Option<Position>) -> i64 {
        self.min_position.unwrap_or(0).max(min_position.map_or(0, |position| position.0))
    }

    /// Time until which this read waits for the projection.
    fn deadline(&self) -> Instant {
        if let Some(wait) = self.wait {
            deadline::allow(wait);
        }
        // The default is within the time limit of every request.
        Instant::now() + self.wait.unwrap_or(DEFAULT_WAIT)
    }

    /// Opens a snapshot at this position or later. It also has everything that this instance has published, unless the
    /// read tables lost rows with PostgreSQL and are not restored in time.
    async fn snapshot_by(&self, app: &App, requested: i64, deadline: Instant) -> Result<Snapshot, ReadError> {
        let mut min = requested.max(app.hub.position());
        loop {
            let snapshot = Snapshot::open(app, &self.caller).await?;
            if snapshot.position >= min {
                return Ok(snapshot);
            }
            let position = snapshot.position;
            snapshot.close().await;
            let is_projected = wait_until_projected(app, min, deadline).await;
            if !is_projected && position >= requested {
                // Good enough for the caller; the response has its position.
                min = requested;
            } else if !is_projected {
                let detail =
                    format!("The read model has reached position {position}; position {requested} was requested");
                let problem = Problem::new(Code::ReadModelBehind, detail).with("position", position).retry_after(1);
                return Err(problem.into());
            }
        }
    }

    /// Starts the lookup of a target, which may be in the log and not in the read tables yet.
    pub fn lookup<'a>(&'a self, app: &'a App, min_position: Option<Position>) -> Lookup<'a> {
        Lookup { request: self, app, min: self.minimum(min_position), deadline: self.deadline() }
    }

    /// Opens a snapshot in which the caller is a member of the project. 404 for other callers: they may not learn that
    /// the project exists.
    pub async fn project(
        &self,
        app: &App,
        min_position: Option<Position>,
        project: ProjectId,
    ) -> Result<(Snapshot, Membership), ReadError> {
        self.lookup(app, min_position).member(Target::Project(project)).await
    }

    /// Opens a snapshot in which the caller is a member of the project of the task.
    pub async fn task(
        &self,
        app: &App,
        min_position: Option<Position>,
        task: TaskId,
    ) -> Result<(Snapshot, Membership), ReadError> {
        self.lookup(app, min_position).member(Target::Task(task)).await
    }

    /// Opens a snapshot in which the caller may see the team.
    pub async fn team(&self, app: &App, min_position: Option<Position>, team: TeamId) -> Result<Snapshot, ReadError> {
        let mut lookup = self.lookup(app, min_position);
        let mut logged = None;
        loop {
            let mut snapshot = lookup.snapshot().await?;
            let head = *logged.get_or_insert(snapshot.head);
            snapshot = refreshed(app, &self.caller, snapshot, head, lookup.deadline).await?;
            let is_visible =
                sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM teams WHERE team_id = $1) AS "exists!""#, team.0)
                    .fetch_one(&mut *snapshot.db)
                    .await?;
            if is_visible {
                return Ok(snapshot);
            }
            lookup.retry(snapshot, Target::Team(team)).await?;
        }
    }

    /// Tag of a response that depends on the project alone: it stays the same until the project's next event, so it can
    /// be compared before anything is read. It also covers the rest that the response depends on: the caller and their
    /// role (which may come through a team), the request, and `extra`. Weak (RFC 9110, 8.8.1), because the position in
    /// the response may differ.
    pub fn project_etag(&self, member: &Membership, snapshot: &Snapshot, extra: &str) -> String {
        let role = member.role();
        let inputs = (self.caller.user_id, role.as_str(), self.path_and_query(), extra, env!("CARGO_PKG_VERSION"));
        let inputs = serde_json::to_vec(&inputs).unwrap_or_default();
        format!("W/\"{}.{}.{}\"", member.last_change(), snapshot.generation, digest(&inputs))
    }

    /// Path and query, without `min_position`, which does not change the content.
    fn path_and_query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(self.uri.query().unwrap_or_default().as_bytes()) {
            if name != "min_position" {
                query.append_pair(&name, &value);
            }
        }
        format!("{}?{}", self.uri.path(), query.finish())
    }

    /// Time to wait for new content; zero unless the caller asks for it.
    pub fn wait(&self) -> Duration {
        self.wait.unwrap_or_default()
    }
}

/// Lookup of a target that may be in the log and not in the read tables yet.
pub struct Lookup<'a> {
    request: &'a ReadRequest,
    app: &'a App,
    min: i64,
    deadline: Instant,
}

impl Lookup<'_> {
    pub async fn snapshot(&self) -> Result<Snapshot, ReadError> {
        self.request.snapshot_by(self.app, self.min, self.deadline).await
    }

    /// Opens a snapshot in which the caller is a member of the target's project, and which has everything of the target
    /// that the log had when it was looked for first, if the projection gets there in time.
    pub async fn member(&mut self, target: Target) -> Result<(Snapshot, Membership), ReadError> {
        let mut logged = None;
        loop {
            let mut snapshot = self.snapshot().await?;
            let mut member = snapshot.membership(target).await?;
            if let Some(known) = &member {
                let logged = *logged.get_or_insert(known.logged());
                if snapshot.position < logged {
                    snapshot = refreshed(self.app, &self.request.caller, snapshot, logged, self.deadline).await?;
                    member = snapshot.membership(target).await?;
                }
            }
            match member {
                Some(member) => return Ok((snapshot, member)),
                None => self.retry(snapshot, target).await?,
            }
        }
    }

    /// Closes a snapshot that lacks the target. Returns 404 if a later one will lack it too, and otherwise makes the
    /// next snapshot late enough.
    pub async fn retry(&mut self, snapshot: Snapshot, target: Target) -> Result<(), ReadError> {
        let at = snapshot.position;
        snapshot.close().await;
        let user = self.request.caller.user_id.0;
        let until = pending::visible_from(self.app, user, target, at).await?.ok_or_else(Problem::not_found)?;
        if Instant::now() > self.deadline {
            return Err(pending::read_model_behind(until).into());
        }
        self.min = self.min.max(until);
        Ok(())
    }
}
