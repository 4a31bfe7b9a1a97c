//! Upkeep of presence: expires devices, removes users who lost access, and sends changes to the streams. One task and
//! one timer serve all projects.

use std::convert::Infallible;
use std::time::Duration;

use futures::future::BoxFuture;
use taskfold_event_log::deadline::{REQUEST, within};
use taskfold_event_log::metrics;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;
use uuid::Uuid;

use super::frames;
use super::service::Presence;
use crate::hub::Hub;
use crate::membership::{NonMembers, non_members};
use crate::revocations::{AccessChange, Revocation};

/// Time for which changes are collected: many that come together are one write per stream.
const COLLECT_CHANGES: Duration = Duration::from_millis(50);
/// Pause before memberships are read again.
const RETRY_AFTER: Duration = Duration::from_millis(500);

type MembershipCheck<'a> = BoxFuture<'a, (Vec<(Uuid, Uuid)>, sqlx::Result<NonMembers>)>;

pub async fn run(presence: &Presence, hub: &Hub, mut revocations: UnboundedReceiver<AccessChange>) -> Infallible {
    let mut send_at: Option<Instant> = None;
    let mut check: Option<MembershipCheck<'_>> = None;
    let mut check_at = Instant::now();
    loop {
        let (expiry, has_changes, has_suspects) = {
            let local = presence.local();
            metrics::presence_devices().set(local.state.count() as f64);
            let expiry = local.clock.zip(local.state.next_expiry()).map(|(clock, expiry)| clock.instant_of(expiry));
            (expiry, local.state.has_changes(), local.state.has_suspects())
        };
        if has_changes && send_at.is_none() {
            send_at = Some(Instant::now() + COLLECT_CHANGES);
        }
        tokio::select! {
            () = presence.changed.notified() => {}
            Some(change) = revocations.recv() => match change {
                AccessChange::Revoked(revocation) => presence.revoke(revocation),
                AccessChange::Unknown { position } => presence.suspect_all(position),
            },
            () = sleep_until(expiry) => presence.expire(),
            () = sleep_until(send_at) => {
                send_at = None;
                let changes = presence.local().state.take_changes();
                for (project, changes) in changes {
                    hub.publish_ephemeral(project, || frames::chunks(project, &changes));
                }
            }
            () = sleep_until(Some(check_at)), if has_suspects && check.is_none() => {
                let suspects = presence.local().state.take_suspects();
                check = Some(Box::pin(async move {
                    let non_members = within(REQUEST, non_members(hub.pool(), &suspects)).await;
                    (suspects, non_members)
                }));
            }
            (suspects, non_members) = completed(&mut check) => {
                check = None;
                match non_members {
                    Ok(non_members) => presence.remove(&non_members),
                    Err(error) => {
                        tracing::debug!(%error, "memberships of present users could not be read, retrying");
                        presence.local().state.suspect(suspects);
                        check_at = Instant::now() + RETRY_AFTER;
                    }
                }
            }
        }
    }
}

impl Presence {
    fn expire(&self) {
        let local = &mut *self.local();
        if let Some(clock) = local.clock {
            local.state.expire(clock.now());
        }
    }

    fn revoke(&self, Revocation { position, project, user }: Revocation) {
        let local = &mut *self.local();
        // Before the clock is set no device is present, and all are checked when it is.
        if let Some(clock) = local.clock {
            local.state.revoke(project, user, position, clock.now());
        }
    }

    /// Has everybody checked whose permission is from before this position or from it.
    fn suspect_all(&self, position: i64) {
        self.local().state.suspect_permissions_before(position + 1);
    }

    fn remove(&self, non_members: &NonMembers) {
        let local = &mut *self.local();
        if let Some(clock) = local.clock {
            local.state.remove_users(&non_members.pairs, non_members.checkpoint, clock.now());
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn completed<T>(running: &mut Option<BoxFuture<'_, T>>) -> T {
    match running {
        Some(running) => running.await,
        None => std::future::pending().await,
    }
}
