//! Work of the projector that holds the lease: projecting, publishing, renewing.

use std::time::Duration;

use taskfold_domain::SubjectKind;
use taskfold_event_log::deadline::{BATCH, REQUEST, within};
use taskfold_event_log::{StickyConnection, Worker, metrics};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::backoff::wait;
use crate::lease::{self, LeaseAttempt};
use crate::publish::Projected;
use crate::step::{Memory, Outcome, step};
use crate::versions::{self, Written};
use crate::{Deps, ProjectorError, dead_letters, publish, rebuild, sessions};

/// Time between the beginnings of two steps under continuous load: a step costs much the same for one event as for ten.
/// The first events after a pause are not delayed.
const PACE: Duration = Duration::from_millis(5);
/// Number of events in a step from which there is a backlog, and the next step follows at once.
const BACKLOG: usize = 200;
/// Interval at which the log is looked at without a notification, and dead letters are counted.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Stands by, leads, and stands by again, until shutdown.
pub async fn run(deps: Deps) {
    let holder = deps.holder;
    while !deps.shutdown.is_cancelled() {
        match acquire(&deps).await {
            Ok(LeaseAttempt::Refused) => tracing::debug!("standing by"),
            Ok(attempt) => {
                tracing::info!(%holder, "leading: projecting and publishing");
                if let LeaseAttempt::TakenFrom(former) = attempt {
                    end_sessions_of(&deps, former).await;
                }
                metrics::projector_leads().set(1.0);
                lead(&deps).await;
                metrics::projector_leads().set(0.0);
            }
            Err(error) => tracing::warn!(%error, "the lease cannot be taken"),
        }
        tokio::select! {
            () = deps.shutdown.cancelled() => {}
            () = tokio::time::sleep(lease::EVERY) => {}
        }
    }
    if let Err(error) = within(REQUEST, lease::release(&deps.pool, holder)).await {
        tracing::debug!(%error, "the lease will expire by itself");
    }
}

/// Takes the lease, unless a later version of this program works on the read tables: whoever can do so should have it.
async fn acquire(deps: &Deps) -> sqlx::Result<LeaseAttempt> {
    if let Written::Later(tables) = within(REQUEST, versions::written(&deps.pool)).await? {
        tracing::warn!(tables = tables.join(", "), "a later version wrote the read tables, standing by");
        return Ok(LeaseAttempt::Refused);
    }
    within(REQUEST, lease::acquire(&deps.pool, deps.holder)).await
}

/// Ends the sessions of a projector that hung or was suspended: it may have transactions open whose locks would block
/// this one.
async fn end_sessions_of(deps: &Deps, former: Uuid) {
    match sessions::end_those_of(&deps.pool, former).await {
        Ok(0) => {}
        Ok(ended) => tracing::warn!(%former, ended, "ended the sessions of the projector that lost the lease"),
        Err(error) => tracing::warn!(%former, %error, "the sessions of the projector that lost the lease go on"),
    }
}

/// Projects and publishes until the lease is lost or shutdown, and returns when both have stopped.
async fn lead(deps: &Deps) {
    let working = deps.shutdown.child_token();
    let (projected, published) = watch::channel(Projected::default());
    let (appended, log) = watch::channel(0);
    let listening = taskfold_event_log::watch_positions(
        deps.pool.clone(),
        taskfold_event_log::WatchedPosition::Head,
        appended,
        working.clone(),
    );
    let all = async {
        let projecting = Box::pin(project(deps, log, projected, &working));
        tokio::join!(listening, projecting, Box::pin(publish::run(deps, published, &working)))
    };
    // Work that waits for a server which does not answer is dropped with the lease: its transaction was never
    // committed.
    tokio::join!(renew(deps, &working), working.run_until_cancelled(all));
}

async fn renew(deps: &Deps, working: &CancellationToken) {
    let mut last = tokio::time::Instant::now();
    loop {
        tokio::select! {
            () = working.cancelled() => return,
            () = tokio::time::sleep(lease::EVERY) => {}
        }
        match tokio::time::timeout(lease::HOLDS, lease::acquire(&deps.pool, deps.holder)).await {
            Ok(Ok(LeaseAttempt::Held | LeaseAttempt::TakenFrom(_))) => last = tokio::time::Instant::now(),
            Ok(Ok(LeaseAttempt::Refused)) => {
                tracing::warn!("the lease is another projector's now, standing by");
                return working.cancel();
            }
            Ok(Err(_)) | Err(_) if last.elapsed() > lease::HOLDS => {
                tracing::warn!("the lease could not be renewed, standing by");
                return working.cancel();
            }
            Ok(Err(_)) | Err(_) => {}
        }
    }
}

async fn project(
    deps: &Deps,
    mut log: watch::Receiver<i64>,
    projected: watch::Sender<Projected>,
    working: &CancellationToken,
) {
    while let Err(error) = rebuild::bring_up_to_date(&deps.maintenance).await {
        tracing::warn!(%error, "read tables of another version could not be rebuilt, trying again");
        wait(working).await;
        if working.is_cancelled() {
            return;
        }
    }
    let (mut database, mut memory) = (StickyConnection::new(deps.pool.clone()), Memory::default());
    let mut looked = tokio::time::Instant::now() - LOOK_EVERY;
    while !working.is_cancelled() {
        if looked.elapsed() >= LOOK_EVERY {
            looked = tokio::time::Instant::now();
            if let Err(error) = check_dead_letters(deps).await {
                tracing::warn!(%error, "dead letters could not be looked at");
            }
        }
        log.mark_unchanged();
        let began = tokio::time::Instant::now();
        let outcome = step(&mut database, &mut memory).await;
        match &outcome {
            Ok(_) => {
                Worker::Projector.succeeded();
                deps.writes.succeeded();
            }
            Err(ProjectorError::Database(error)) => deps.writes.failed(error),
            Err(_) => {}
        }
        match outcome {
            Ok(Outcome::Projected { events, position }) => {
                metrics::projected_events().increment(events.len() as u64);
                metrics::projected_position().set(position as f64);
                let backlog = events.len() >= BACKLOG;
                projected.send_replace(Projected { events, position });
                if !backlog {
                    tokio::time::sleep_until(began + PACE).await;
                }
                if position < *log.borrow() {
                    continue;
                }
            }
            Ok(Outcome::Idle) => {}
            Err(ProjectorError::OtherVersion) => {
                tracing::warn!("another version has rebuilt the read tables, standing by");
                return working.cancel();
            }
            Err(error) => {
                tracing::warn!(%error, "not projecting, trying again");
                end_idle_holders(deps).await;
                wait(working).await;
                continue;
            }
        }
        tokio::select! {
            () = working.cancelled() => return,
            changed = log.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Ends idle sessions that hold the checkpoint's lock, which may be why it was not projected.
async fn end_idle_holders(deps: &Deps) {
    match sessions::end_idle_holders_of_the_checkpoint(&deps.pool).await {
        Ok(0) => {}
        Ok(ended) => tracing::warn!(ended, "ended sessions that held the checkpoint and did nothing"),
        Err(error) => tracing::debug!(%error, "sessions that hold the checkpoint could not be looked for"),
    }
}

async fn check_dead_letters(deps: &Deps) -> Result<(), ProjectorError> {
    let counts = within(REQUEST, dead_letters::count_by_kind(&deps.pool)).await?;
    let known = SubjectKind::ALL.iter().map(|kind| kind.as_str());
    for kind in known.clone() {
        metrics::dead_letters(kind).set(counts.get(kind).copied().unwrap_or_default() as f64);
    }
    let unknown = counts.iter().filter(|(kind, _)| !known.clone().any(|known| known == *kind));
    metrics::dead_letters("unknown").set(unknown.map(|(_, count)| *count).sum::<i64>() as f64);
    if !counts.is_empty() {
        within(BATCH, dead_letters::retry_requested(&deps.pool)).await?;
    }
    Ok(())
}
