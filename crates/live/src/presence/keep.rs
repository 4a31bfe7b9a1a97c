use std::convert::Infallible;
use std::time::Duration;

use futures::future::BoxFuture;
use taskfold_event_log::deadline::{REQUEST, within};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Presence, frames};
use crate::hub::Hub;
use crate::losses::Loss;
use crate::membership::{NoMembers, no_members};

/// What happens within this time is told at once: many who come together are one piece for each stream.
const COLLECT: Duration = Duration::from_millis(50);
/// When it could not be read who is a member.
const RETRY_AFTER: Duration = Duration::from_millis(500);

type Looking<'a> = BoxFuture<'a, (Vec<(Uuid, Uuid)>, sqlx::Result<NoMembers>)>;

/// Lets devices go when their time is over and people when they are members no more, and tells the streams. One task and
/// one timer for all.
pub async fn keep(presence: &Presence, hub: &Hub, mut losses: UnboundedReceiver<Loss>) -> Infallible {
    let mut tell_at: Option<Instant> = None;
    let mut looking: Option<Looking<'_>> = None;
    let mut look_at = Instant::now();
    loop {
        let (end, changed, suspicious) = {
            let known = presence.known();
            metrics::gauge!("taskfold_presence_devices").set(known.roster.count() as f64);
            let end = known.clock.zip(known.roster.next_end()).map(|(clock, end)| clock.instant_of(end));
            (end, known.roster.has_changes(), known.roster.has_suspects())
        };
        if changed && tell_at.is_none() {
            tell_at = Some(Instant::now() + COLLECT);
        }
        tokio::select! {
            () = presence.news.notified() => {}
            Some(loss) = losses.recv() => presence.lose(loss),
            () = sleep_until(end) => presence.expire(),
            () = sleep_until(tell_at) => {
                tell_at = None;
                let changes = presence.known().roster.take_changes();
                for (project, changes) in changes {
                    hub.pass(project, || frames::pieces(project, &changes));
                }
            }
            () = sleep_until(Some(look_at)), if suspicious && looking.is_none() => {
                let suspects = presence.known().roster.take_suspects();
                looking = Some(Box::pin(async move {
                    let looked = within(REQUEST, no_members(hub.pool(), &suspects)).await;
                    (suspects, looked)
                }));
            }
            (suspects, looked) = wait(&mut looking) => {
                looking = None;
                match looked {
                    Ok(found) => presence.judge(&found),
                    Err(error) => {
                        tracing::debug!(%error, "presence waits to know who is still a member");
                        presence.known().roster.suspect(suspects);
                        look_at = Instant::now() + RETRY_AFTER;
                    }
                }
            }
        }
    }
}

impl Presence {
    fn expire(&self) {
        let known = &mut *self.known();
        if let Some(clock) = known.clock {
            known.roster.expire(clock.now());
        }
    }

    fn lose(&self, Loss { position, project, user }: Loss) {
        let known = &mut *self.known();
        // Before NATS is heard nobody is there, and all who will be are looked at then.
        if let Some(clock) = known.clock {
            known.roster.lose(project, user, position, clock.now());
        }
    }

    fn judge(&self, found: &NoMembers) {
        let known = &mut *self.known();
        if let Some(clock) = known.clock {
            known.roster.judge(&found.pairs, found.checkpoint, clock.now());
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn wait<T>(doing: &mut Option<BoxFuture<'_, T>>) -> T {
    match doing {
        Some(doing) => doing.await,
        None => std::future::pending().await,
    }
}
