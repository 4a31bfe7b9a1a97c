use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, Stream};
use taskfold_domain::ids::UserId;
use taskfold_openapi::clock;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::frame::{Frame, HEARTBEAT_SECONDS, Notice};
use super::hub::{Hub, Next};
use super::room::Seat;

const HEARTBEAT: Duration = Duration::from_secs(HEARTBEAT_SECONDS);
/// When the log could not be read.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// Clients come back within this time after a `drain`, each at another moment.
const DRAIN_MS: u32 = 5_000;
/// However long a token is good for.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What a stream starts with.
pub struct Opening {
    pub user: UserId,
    /// When the stream's token ends, in seconds since 1970.
    pub expires_at: i64,
    /// Ends when that token is worth nothing before its time, if that can happen.
    pub revoked_token: Option<BoxFuture<'static, ()>>,
    /// The projects, each with the position as of which the caller is known to be a member: an earlier removal is
    /// history, a later one ends it.
    pub projects: Vec<(Uuid, i64)>,
    /// Projects asked for of which the caller is no member any more.
    pub revoked: Vec<Uuid>,
    /// `None`: from now.
    pub from: Option<i64>,
    /// Also without any project: there is more to follow than projects.
    pub stays: bool,
}

/// One client's stream. It is pulled: a slow client falls behind and reads the log, and costs no memory.
pub struct Follower {
    hub: Arc<Hub>,
    user: Uuid,
    stays: bool,
    followed: Vec<Followed>,
    wake: Arc<Notify>,
    shutdown: CancellationToken,
    /// Said before anything else.
    notices: VecDeque<Notice>,
    /// Taken, and not sent yet.
    pending: VecDeque<Arc<Frame>>,
    /// Taken up to here.
    taken: i64,
    /// Sent up to here.
    served: i64,
    /// Has been in the rings: falling out of them is worth telling.
    live: bool,
    heartbeat: Pin<Box<Sleep>>,
    expires: Instant,
    revoked_token: Option<BoxFuture<'static, ()>>,
    ended: bool,
    _counted: Counted,
}

struct Followed {
    project: Uuid,
    member_at: i64,
    seat: Seat,
}

impl Follower {
    /// The hub must have begun.
    pub fn new(hub: Arc<Hub>, opening: Opening, shutdown: CancellationToken) -> Self {
        let wake = Arc::new(Notify::new());
        let followed: Vec<Followed> = opening
            .projects
            .into_iter()
            .map(|(project, member_at)| Followed { project, member_at, seat: hub.join(project, &wake) })
            .collect();
        // After sitting down: what is announced from here on is in the rings.
        let head = hub.position();
        let from = opening.from.unwrap_or(head);
        let hello = Notice::Hello { position: from, head };
        let revoked = opening.revoked.into_iter().map(|project| Notice::Revoked { project });
        let lives = opening.expires_at.saturating_sub(clock::now().utc().timestamp());
        Self {
            user: opening.user.0,
            stays: opening.stays,
            followed,
            wake,
            shutdown,
            notices: [hello].into_iter().chain(revoked).collect(),
            pending: VecDeque::new(),
            taken: from,
            served: from,
            live: false,
            heartbeat: Box::pin(tokio::time::sleep(HEARTBEAT)),
            expires: Instant::now() + Duration::from_secs(u64::try_from(lives).unwrap_or(0)).min(LONGEST),
            revoked_token: opening.revoked_token,
            ended: false,
            hub,
            _counted: Counted::new(),
        }
    }

    /// The body of the answer.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> + Send {
        futures::stream::unfold(self, |mut follower| async {
            let bytes = follower.next().await?;
            Some((Ok(bytes), follower))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(notice) = self.notices.pop_front() {
                return Some(notice.encode());
            }
            if self.ended {
                return None;
            }
            if self.shutdown.is_cancelled() {
                return Some(self.end(Notice::Drain { served: self.served, retry_ms: spread() }));
            }
            if Instant::now() >= self.expires || self.token_is_revoked() {
                return Some(self.end(Notice::Reauth));
            }
            if let Some(frame) = self.pending.pop_front() {
                if let Some(bytes) = self.deliver(&frame) {
                    return Some(bytes);
                }
                continue;
            }
            self.served = self.taken;
            if self.heartbeat.is_elapsed() {
                // Events of other projects wake nobody here: look how far the log is before saying it.
                self.look();
                if !self.pending.is_empty() {
                    continue;
                }
                self.served = self.taken;
                self.heartbeat.as_mut().reset(Instant::now() + HEARTBEAT);
                return Some(Notice::Heartbeat { served: self.served, head: self.head() }.encode());
            }
            self.take().await;
        }
    }

    /// Asked before each frame: a busy stream may never wait.
    fn token_is_revoked(&mut self) -> bool {
        let revoked = self.revoked_token.as_mut().is_some_and(|token| token.now_or_never().is_some());
        if revoked {
            // Not to be asked again: the next frame is the last.
            self.revoked_token = None;
        }
        revoked
    }

    fn end(&mut self, last: Notice) -> Bytes {
        self.ended = true;
        last.encode()
    }

    fn head(&self) -> i64 {
        self.hub.position().max(self.served)
    }

    /// The frame, unless its project is no longer followed.
    fn deliver(&mut self, frame: &Frame) -> Option<Bytes> {
        let index = self.followed.iter().position(|f| f.project == frame.project);
        self.served = frame.position;
        let index = index?;
        if frame.removes == Some(self.user) && frame.position > self.followed[index].member_at {
            self.followed.swap_remove(index);
            self.notices.push_back(Notice::Revoked { project: frame.project });
            self.ended = self.followed.is_empty() && !self.stays;
        }
        metrics::counter!("taskfold_sse_frames_total").increment(1);
        Some(frame.bytes.clone())
    }

    fn look(&mut self) {
        let seats: Vec<&Seat> = self.followed.iter().map(|f| &f.seat).collect();
        if let Some(next) = self.hub.recent(&seats, self.taken) {
            self.took(next);
        }
    }

    /// Takes what is next, or waits until something may be: an event, a heartbeat, the end.
    async fn take(&mut self) {
        let seats: Vec<&Seat> = self.followed.iter().map(|f| &f.seat).collect();
        let recent = self.hub.recent(&seats, self.taken);
        match recent {
            Some(next) => {
                self.live = true;
                let something = !next.frames.is_empty();
                self.took(next);
                if !something {
                    self.wait(None).await;
                }
            }
            None if self.live => {
                self.live = false;
                self.notices.push_back(Notice::Lagging { served: self.served, head: self.head() });
            }
            None => {
                let projects: Vec<Uuid> = self.followed.iter().map(|f| f.project).collect();
                // Boxed: a stream at rest does not carry the room that a query needs.
                let page = tokio::select! {
                    page = Box::pin(self.hub.catch_up(&projects, self.taken)) => page,
                    () = self.shutdown.cancelled() => return,
                };
                match page {
                    Ok(next) => self.took(next),
                    Err(error) => {
                        tracing::debug!(%error, "a stream could not catch up, trying again");
                        self.wait(Some(RETRY_AFTER)).await;
                    }
                }
            }
        }
    }

    fn took(&mut self, next: Next) {
        self.taken = next.upto;
        self.pending = next.frames.into();
        if self.pending.is_empty() {
            self.served = self.taken;
        }
    }

    async fn wait(&mut self, at_most: Option<Duration>) {
        let revoked = async {
            match &mut self.revoked_token {
                Some(token) => token.await,
                None => std::future::pending().await,
            }
        };
        let until = at_most.map_or(self.expires, |d| self.expires.min(Instant::now() + d));
        tokio::select! {
            () = self.wake.notified(), if at_most.is_none() => {}
            () = self.heartbeat.as_mut() => {}
            () = tokio::time::sleep_until(until) => {}
            () = self.shutdown.cancelled() => {}
            () = revoked => {
                self.revoked_token = None;
                self.expires = Instant::now();
            }
        }
    }
}

/// A number of milliseconds, another for each client.
fn spread() -> u32 {
    let random = clock::new_id().as_u128() as u32;
    200 + random % DRAIN_MS
}

/// Counts the open streams.
struct Counted;

impl Counted {
    fn new() -> Self {
        metrics::gauge!("taskfold_sse_connections").increment(1);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!("taskfold_sse_connections").decrement(1);
    }
}

#[cfg(test)]
mod tests;
