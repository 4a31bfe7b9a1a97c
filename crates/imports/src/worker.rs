use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::PgPool;
use taskfold_commands::Engine;
use taskfold_event_log::Worker;
use taskfold_event_log::clock;
use taskfold_event_log::deadline::{REQUEST, within};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::run::{Progress, run};
use super::send::Failure;
use super::store::{self, Job};

/// How often this process says that it works on an import.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How often it looks for imports that others left.
const LOOK: Duration = Duration::from_secs(5);
const BACK_OFF: Duration = Duration::from_secs(2);

/// What a look for work came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Idle,
    Worked,
}

/// Works on imports until `shutdown`, one at a time. `wake` says that one was put in.
pub async fn work(engine: Engine, pool: PgPool, wake: Arc<Notify>, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        let outcome = step(&engine, &pool, &shutdown).await;
        if outcome.is_ok() {
            Worker::Imports.succeeded();
        }
        let wait = match outcome {
            Ok(Outcome::Worked) => continue,
            Ok(Outcome::Idle) => LOOK,
            Err(error) => {
                tracing::warn!(%error, "cannot look for imports");
                BACK_OFF
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = wake.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Takes one import, if one waits, and works on it to its end.
pub async fn step(engine: &Engine, pool: &PgPool, shutdown: &CancellationToken) -> sqlx::Result<Outcome> {
    let worker = clock::new_id();
    let Some(job) = within(REQUEST, store::take(pool, worker)).await? else { return Ok(Outcome::Idle) };
    let id = job.id;
    tracing::info!(import_id = %id, project_id = %job.project_id, "importing");
    let progress = Arc::new(Progress::default());
    // A task of its own, so that a panic ends the import and not the worker; aborted when this function goes away.
    let mut running = AbortOnDropHandle::new(tokio::spawn(to_its_end(
        engine.clone(),
        pool.clone(),
        job,
        worker,
        Arc::clone(&progress),
    )));
    loop {
        tokio::select! {
            ended = &mut running => {
                if let Err(error) = ended {
                    tracing::error!(%error, import_id = %id, "an import broke down");
                    within(REQUEST, store::fail(pool, id, worker, &Failure::Internal.to_string())).await?;
                }
                return Ok(Outcome::Worked);
            }
            () = shutdown.cancelled() => {
                drop(running);
                within(REQUEST, store::put_back(pool, id, worker)).await?;
                return Ok(Outcome::Worked);
            }
            () = tokio::time::sleep(HEARTBEAT) => {
                if !still_ours(pool, id, worker, &progress).await {
                    tracing::warn!(import_id = %id, "another process has taken the import over");
                    return Ok(Outcome::Worked);
                }
            }
        }
    }
}

async fn still_ours(pool: &PgPool, id: Uuid, worker: Uuid, progress: &Progress) -> bool {
    let (total, done) = (progress.total.load(Ordering::Relaxed), progress.done.load(Ordering::Relaxed));
    match within(REQUEST, store::heartbeat(pool, id, worker, total, done)).await {
        Ok(ours) => ours,
        Err(error) => {
            // The import itself waits for the database, and gives up in its own time.
            tracing::warn!(%error, import_id = %id, "an import's heartbeat is missed");
            true
        }
    }
}

async fn to_its_end(engine: Engine, pool: PgPool, mut job: Job, worker: Uuid, progress: Arc<Progress>) {
    let ended = match run(&engine, &pool, &mut job, &progress).await {
        Ok(finished) => within(REQUEST, store::finish(&pool, &job, worker, finished)).await,
        Err(failure) => {
            tracing::warn!(import_id = %job.id, %failure, "an import failed");
            within(REQUEST, store::fail(&pool, job.id, worker, &failure.to_string())).await
        }
    };
    if let Err(error) = ended {
        // Its heartbeat stops, and it is taken up again.
        tracing::warn!(%error, import_id = %job.id, "the end of an import cannot be stored");
    }
}
