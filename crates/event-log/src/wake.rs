//! Notifications of new positions, by LISTEN and NOTIFY of PostgreSQL. A notification may be lost with its connection,
//! so the position is also polled: notifications are for speed, polling is for certainty.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::deadline::{self, within};

/// A position whose changes are notified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchedPosition {
    /// Head of the log, notified by the append.
    Head,
    /// Checkpoint of the read tables, notified by the projector.
    Projected,
}

impl WatchedPosition {
    /// Channel of LISTEN and NOTIFY.
    pub fn channel(self) -> &'static str {
        match self {
            Self::Head => "taskfold_events",
            Self::Projected => "taskfold_projected",
        }
    }

    async fn read(self, pool: &PgPool) -> sqlx::Result<i64> {
        match self {
            Self::Head => crate::head(pool).await,
            Self::Projected => crate::projected_position(pool).await,
        }
    }
}

const POLL_EVERY: Duration = Duration::from_millis(500);
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// Number of polls in a row that may find a new position without a notification before the listening connection counts
/// as dead.
const MAX_UNNOTIFIED: u32 = 4;

/// Keeps `sender` at the position, until `shutdown`. While the database is unavailable, receivers keep the last one.
pub async fn watch_positions(
    pool: PgPool,
    watched: WatchedPosition,
    sender: watch::Sender<i64>,
    shutdown: CancellationToken,
) {
    while !shutdown.is_cancelled() {
        let listening = listen(&pool, watched, &sender);
        let ended = tokio::select! {
            () = shutdown.cancelled() => return,
            ended = listening => ended,
        };
        if let Err(error) = ended {
            tracing::warn!(?watched, %error, "no notifications of new positions, trying again");
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(RETRY_AFTER) => {}
        }
    }
}

async fn listen(pool: &PgPool, watched: WatchedPosition, sender: &watch::Sender<i64>) -> sqlx::Result<()> {
    // A pool of its own: a dropped listener sends UNLISTEN first, and a silent server would keep one of the shared
    // connections forever.
    let own = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
    let own = own.acquire_timeout(deadline::REQUEST).connect_lazy_with((*pool.connect_options()).clone());
    let mut listener = within(deadline::REQUEST, PgListener::connect_with(&own)).await?;
    within(deadline::REQUEST, listener.listen(watched.channel())).await?;
    let mut unnotified = 0;
    loop {
        let polled = within(deadline::REQUEST, watched.read(pool)).await?;
        // Even if it is lower: read tables may lose their last rows with PostgreSQL, and a log may be restored to an
        // earlier state.
        let before = sender.send_replace(polled);
        unnotified = if polled > before { unnotified + 1 } else { 0 };
        if unnotified > MAX_UNNOTIFIED {
            return Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()));
        }
        // Notifications are received one after the other; after a quiet interval the position is polled again.
        while let Ok(received) = tokio::time::timeout(POLL_EVERY, listener.try_recv()).await {
            match received? {
                Some(notification) => {
                    unnotified = 0;
                    if let Ok(position) = notification.payload().parse() {
                        raise(sender, position);
                    }
                }
                // The connection was lost and replaced: notifications may have been missed.
                None => break,
            }
        }
    }
}

fn raise(sender: &watch::Sender<i64>, position: i64) {
    sender.send_if_modified(|known| {
        let higher = position > *known;
        if higher {
            *known = position;
        }
        higher
    });
}
