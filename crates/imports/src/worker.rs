//! The worker that runs imports, one at a time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::PgPool;
use taskfold_commands::Engine;
use taskfold_event_log::Worker;
use taskfold_event_log::deadline::{REQUEST, within};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::run::{Progress, run};
use crate::send::Failure;
use crate::store::{self, Job};

/// Interval of the heartbeats of a running import.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Interval of the search for imports that other processes have left.
const POLL_INTERVAL: Duration = Duration::from_secs(5);
/// Delay after an error of the database.
const BACK_OFF: Duration = Duration::from_secs(2);

/// Outcome of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Idle,
    Worked,
}

/// Runs imports until `shutdown`, one at a time. `wake` is notified of each new one.
pub async fn work(engine: Engine, pool: PgPool, wake: Arc<Notify>, shutdown: CancellationToken) {
    while !shutdown.is_cancelled() {
        let outcome = step(&engine, &pool, &shutdown).await;
        if outcome.is_ok() {
            Worker::Imports.succeeded();
        }
        let wait = match outcome {
            Ok(Outcome::Worked) => continue,
            Ok(Outcome::Idle) => POLL_INTERVAL,
            Err(error) => {
                tracing::warn!(%error, "cannot search for imports");
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

/// Takes one import, if one is waiting, and runs it to its end.
pub async fn step(engine: &Engine, pool: &PgPool, shutdown: &CancellationToken) -> sqlx::Result<Outcome> {
    let worker = engine.clock().new_id();
    let Some(job) = within(REQUEST, store::take(pool, worker)).await? else { return Ok(Outcome::Idle) };
    let id = job.id;
    tracing::info!(import_id = %id, project_id = %job.project_id, "importing");
    let progress = Arc::new(Progress::default());
    // In a task of its own, so that a panic ends the import and not the worker. Aborted if this function is cancelled.
    let mut running = AbortOnDropHandle::new(tokio::spawn(run_to_end(
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
                    tracing::error!(%error, import_id = %id, "an import panicked");
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
            // The import waits for the database too, and has its own limit for that.
            tracing::warn!(%error, import_id = %id, "a heartbeat of an import failed");
            true
        }
    }
}

async fn run_to_end(engine: Engine, pool: PgPool, mut job: Job, worker: Uuid, progress: Arc<Progress>) {
    let ended = match run(&engine, &pool, &mut job, &progress).await {
        Ok(finished) => within(REQUEST, store::finish(&pool, &job, worker, finished)).await,
        Err(failure) => {
            tracing::warn!(import_id = %job.id, %failure, "an import failed");
            within(REQUEST, store::fail(&pool, job.id, worker, &failure.to_string())).await
        }
    };
    if let Err(error) = ended {
        // Its heartbeats stop, so another worker takes it.
        tracing::warn!(%error, import_id = %job.id, "the end of an import cannot be stored");
    }
}
