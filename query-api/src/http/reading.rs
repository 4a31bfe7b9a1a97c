use std::time::Duration;

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use sqlx::{Postgres, Transaction};
use taskfold_domain::ids::{ProjectId, TaskId, TeamId};
use taskfold_web::auth::Verifier;
use taskfold_web::headers::{self, Prefer};
use taskfold_web::{Caller, Code, Problem, deadline};
use tokio::time::Instant;
use utoipa::IntoParams;

use super::access::Membership;
use super::app::App;
use super::error::ReadError;
use super::pending::{self, Thing};
use super::values::Position;

const DEFAULT_WAIT: Duration = Duration::from_secs(2);
const MAX_WAIT: Duration = Duration::from_secs(30);
/// Between two looks at read tables that were heard to be further than they are.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Who reads, and the headers that go with it.
pub struct Reading {
    pub caller: Caller,
    pub uri: http::Uri,
    pub if_none_match: Option<String>,
    min_position: Option<i64>,
    wait: Option<Duration>,
}

/// The headers of every read.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "documents the headers; `Reading` reads them")]
pub struct ReadHeaders {
    /// Answer only with what reflects this position, such as that of a command's reply. The query parameter
    /// `min_position` says the same.
    #[param(rename = "Taskfold-Min-Position", example = 1042)]
    min_position: Option<u64>,
    /// `wait=<seconds>`: how long to wait for that position, 2 by default and 30 at most.
    #[param(rename = "Prefer", example = "wait=5")]
    prefer: Option<String>,
    /// The `ETag` of an earlier answer: 304 if nothing has changed since.
    #[param(rename = "If-None-Match")]
    if_none_match: Option<String>,
}

impl<S> FromRequestParts<S> for Reading
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

impl Reading {
    /// For a caller who is known already.
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

    /// The read tables as of one position, which is at least the one asked for in the header or in `min_position`, and has all
    /// that was announced here: read tables that lost their last rows with PostgreSQL get them again from the log.
    pub async fn snapshot(&self, app: &App, min_position: Option<Position>) -> Result<Snapshot, ReadError> {
        let min = self.min_position.unwrap_or(0).max(min_position.map_or(0, |p| p.0));
        self.snapshot_from(app, min).await
    }

    pub async fn snapshot_from(&self, app: &App, min: i64) -> Result<Snapshot, ReadError> {
        self.snapshot_by(app, min, self.deadline()).await
    }

    /// Until when this read waits for what is not projected yet.
    fn deadline(&self) -> Instant {
        if let Some(wait) = self.wait {
            deadline::allow(wait);
        }
        // By default it is a part of the time that any request has.
        Instant::now() + self.wait.unwrap_or(DEFAULT_WAIT)
    }

    async fn snapshot_by(&self, app: &App, min: i64, deadline: Instant) -> Result<Snapshot, ReadError> {
        let asked = min;
        let mut min = asked.max(app.hub.position());
        loop {
            let snapshot = Snapshot::open(app, &self.caller).await?;
            if snapshot.position >= min {
                return Ok(snapshot);
            }
            let position = snapshot.position;
            snapshot.close().await;
            let in_time = reached(app, min, deadline).await;
            if !in_time && position >= asked {
                // Nobody asked for more, and the answer says where it is.
                min = asked;
            } else if !in_time {
                let detail = format!("The read model is at {position}, and {asked} was asked for");
                let problem = Problem::new(Code::ReadModelBehind, detail).with("position", position).retry_after(1);
                return Err(problem.into());
            }
        }
    }

    /// To look for something until it is there, or is known not to be.
    pub fn look<'a>(&'a self, app: &'a App, min_position: Option<Position>) -> Look<'a> {
        let min = self.min_position.unwrap_or(0).max(min_position.map_or(0, |p| p.0));
        Look { reading: self, app, min, deadline: self.deadline() }
    }

    /// A snapshot, and what the caller is in this project. Of a project that one may not see nothing is told, not even that it is
    /// there.
    pub async fn project(
        &self,
        app: &App,
        min_position: Option<Position>,
        project: ProjectId,
    ) -> Result<(Snapshot, Membership), ReadError> {
        self.look(app, min_position).member(Thing::Project(project)).await
    }

    /// The same, of the project that a task belongs to.
    pub async fn task(
        &self,
        app: &App,
        min_position: Option<Position>,
        task: TaskId,
    ) -> Result<(Snapshot, Membership), ReadError> {
        self.look(app, min_position).member(Thing::Task(task)).await
    }

    /// A snapshot in which the caller sees this team.
    pub async fn team(&self, app: &App, min_position: Option<Position>, team: TeamId) -> Result<Snapshot, ReadError> {
        let mut look = self.look(app, min_position);
        loop {
            let mut snapshot = look.snapshot().await?;
            let sees: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM teams WHERE team_id = $1)")
                .bind(team.0)
                .fetch_one(&mut *snapshot.db)
                .await?;
            if sees {
                return Ok(snapshot);
            }
            look.again(snapshot, Thing::Team(team)).await?;
        }
    }

    /// The path and the query without what only says how fresh the answer must be.
    pub fn asked(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(self.uri.query().unwrap_or_default().as_bytes()) {
            if name != "min_position" {
                query.append_pair(&name, &value);
            }
        }
        format!("{}?{}", self.uri.path(), query.finish())
    }

    /// How long the caller wants to wait for something to happen: not at all unless they say so.
    pub fn patience(&self) -> Duration {
        self.wait.unwrap_or_default()
    }
}

/// A look for something that a request names. What is not in the read tables may be in the log already.
pub struct Look<'a> {
    reading: &'a Reading,
    app: &'a App,
    min: i64,
    deadline: Instant,
}

impl Look<'_> {
    pub async fn snapshot(&self) -> Result<Snapshot, ReadError> {
        self.reading.snapshot_by(self.app, self.min, self.deadline).await
    }

    /// A snapshot, and what the caller is in the project of this thing.
    pub async fn member(&mut self, thing: Thing) -> Result<(Snapshot, Membership), ReadError> {
        loop {
            let mut snapshot = self.snapshot().await?;
            match snapshot.membership(thing).await? {
                Some(member) => return Ok((snapshot, member)),
                None => self.again(snapshot, thing).await?,
            }
        }
    }

    /// It is not in this snapshot: `Ok` when a later one may have it, 404 when none will.
    pub async fn again(&mut self, snapshot: Snapshot, thing: Thing) -> Result<(), ReadError> {
        let at = snapshot.position;
        snapshot.close().await;
        let user = self.reading.caller.user_id.0;
        let until = pending::position(self.app, user, thing, at).await?.ok_or_else(Problem::not_found)?;
        if Instant::now() > self.deadline {
            return Err(pending::behind(until).into());
        }
        self.min = self.min.max(until);
        Ok(())
    }
}

/// Whether the read tables reach this position in time, or are heard to have.
pub async fn reached(app: &App, position: i64, deadline: Instant) -> bool {
    let mut projected = app.projected.clone();
    let reached = async {
        // What is heard may be ahead of a copy that is read, or of tables that are being rebuilt.
        if *projected.borrow() >= position {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        projected.wait_for(|p| *p >= position).await.is_ok()
    };
    tokio::select! {
        reached = tokio::time::timeout_at(deadline, reached) => reached.unwrap_or(false),
        () = app.shutdown.cancelled() => false,
    }
}

/// A transaction that writes what is the caller's own, under the same row-level security.
pub async fn own_rows(app: &App, caller: &Caller) -> Result<Transaction<'static, Postgres>, ReadError> {
    caller.must_write()?;
    let mut db = app.pool.begin().await?;
    as_caller(&mut db, caller).await?;
    Ok(db)
}

/// From here on, row-level security lets this caller see what is theirs, and nothing else.
async fn as_caller(db: &mut Transaction<'static, Postgres>, caller: &Caller) -> sqlx::Result<(i64, i64)> {
    sqlx::query_as(
        "SELECT position, generation FROM projection_checkpoint, set_config('taskfold.user_id', $1, true) AS u, \
                 set_config('taskfold.project_id', $2, true) AS p",
    )
    .bind(caller.user_id.to_string())
    .bind(caller.scope.project.map(|project| project.to_string()).unwrap_or_default())
    .fetch_one(&mut **db)
    .await
}

/// A read-only transaction: all that is read in it is as of `position`.
pub struct Snapshot {
    pub db: Transaction<'static, Postgres>,
    pub position: i64,
    /// How often rows were written anew without a new position.
    pub generation: i64,
}

impl Snapshot {
    async fn open(app: &App, caller: &Caller) -> Result<Self, ReadError> {
        let mut db = app.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let (position, generation) = as_caller(&mut db, caller).await?;
        Ok(Self { db, position, generation })
    }

    /// Gives the connection back without waiting for anybody to drop it. There is nothing to commit.
    pub async fn close(self) {
        if let Err(error) = self.db.rollback().await {
            tracing::debug!(%error, "ending a read failed");
        }
    }
}
