//! PostgreSQL's NOTIFY says that a position was reached. A notification may be lost with its connection, so the position
//! is also read at an interval: being told is for speed, asking is for certainty.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::deadline::{self, within};

/// Notified by the append, with the log's new head.
pub const APPENDED_CHANNEL: &str = "taskfold_events";
/// Notified by the projector, with its new checkpoint.
pub const PROJECTED_CHANNEL: &str = "taskfold_projected";

const ASK_EVERY: Duration = Duration::from_millis(500);
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// How often in a row the position may have moved without a notification before the listening connection counts as dead.
const UNHEARD: u32 = 4;

/// Keeps `sender` at the position last heard of on `channel`, until `shutdown`. Database trouble is waited out: whoever
/// watches keeps the last position meanwhile.
pub async fn watch_positions(
    pool: PgPool,
    channel: &'static str,
    sender: watch::Sender<i64>,
    shutdown: CancellationToken,
) {
    while !shutdown.is_cancelled() {
        let listening = listen(&pool, channel, &sender);
        let ended = tokio::select! {
            () = shutdown.cancelled() => return,
            ended = listening => ended,
        };
        if let Err(error) = ended {
            tracing::warn!(channel, %error, "not hearing of new positions, trying again");
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(RETRY_AFTER) => {}
        }
    }
}

async fn listen(pool: &PgPool, channel: &'static str, sender: &watch::Sender<i64>) -> sqlx::Result<()> {
    // A pool of its own: when a listener is dropped, its connection says UNLISTEN first, and a silent server would keep one of the
    // shared connections for good.
    let own = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
    let own = own.acquire_timeout(deadline::REQUEST).connect_lazy_with((*pool.connect_options()).clone());
    let mut listener = within(deadline::REQUEST, PgListener::connect_with(&own)).await?;
    within(deadline::REQUEST, listener.listen(channel)).await?;
    let mut unheard = 0;
    loop {
        let position = async {
            match channel {
                PROJECTED_CHANNEL => crate::projected_position(pool).await,
                _ => crate::head(pool).await,
            }
        };
        let asked = within(deadline::REQUEST, position).await?;
        // Also where it is lower: read tables lose their last rows with PostgreSQL, and a log is restored to an earlier state.
        let before = sender.send_replace(asked);
        unheard = if asked > before { unheard + 1 } else { 0 };
        if unheard > UNHEARD {
            return Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()));
        }
        // Heard positions are taken one after the other; a quiet interval goes back to asking.
        while let Ok(heard) = tokio::time::timeout(ASK_EVERY, listener.try_recv()).await {
            match heard? {
                Some(notification) => {
                    unheard = 0;
                    if let Ok(position) = notification.payload().parse() {
                        raise(sender, position);
                    }
                }
                // The connection was lost and made anew: something may have been missed.
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
