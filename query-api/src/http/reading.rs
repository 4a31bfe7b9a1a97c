use std::time::Duration;

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use sqlx::{Postgres, Transaction};
use taskfold_openapi::auth::Verifier;
use taskfold_openapi::headers::{self, Prefer};
use taskfold_openapi::{Caller, Code, Problem};
use tokio::time::Instant;
use utoipa::IntoParams;

use super::app::App;
use super::error::ReadError;
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
        let deadline = Instant::now() + self.wait.unwrap_or(DEFAULT_WAIT);
        let asked = min;
        let mut min = asked.max(app.hub.position());
        loop {
            let snapshot = Snapshot::open(app, &self.caller).await?;
            if snapshot.position >= min {
                return Ok(snapshot);
            }
            let position = snapshot.position;
            snapshot.close().await;
            let mut projected = app.projected.clone();
            let reached = async {
                // What is heard may be ahead of a copy that is read, or of tables that are being rebuilt.
                if *projected.borrow() >= min {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                projected.wait_for(|p| *p >= min).await.is_ok()
            };
            let in_time = tokio::select! {
                reached = tokio::time::timeout_at(deadline, reached) => reached.unwrap_or(false),
                () = app.shutdown.cancelled() => false,
            };
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
