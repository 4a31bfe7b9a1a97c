/// Other channels, or a longer life, while the stream goes on.
mod change;
/// What a stream starts with.
mod opening;
/// What the client may see.
mod sight;
/// For how long the stream may stay.
mod term;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use taskfold_event_log::clock;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use self::opening::{Door, Opening};
use self::term::Term;
use super::cursor::Cursor;
use super::ear::Ear;
use super::frame::{Channel, Frame, HEARTBEAT_SECONDS, Notice};
use super::hub::{Hub, Listening, Next, Wanted};
use super::open::OpenStream;
use super::outlet::Outlet;
use super::places::Place;
use super::presence;
use super::room::Seat;

const HEARTBEAT: Duration = Duration::from_secs(HEARTBEAT_SECONDS);
/// When the log could not be read.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// Clients come back within this time after a `drain`, each at another moment. Streams end one after the other besides.
const DRAIN_MS: u32 = 1_000;
/// Frames of about this many bytes together leave in one piece.
const PIECE: usize = 16 * 1024;
/// Projects that one stream may carry.
pub const MOST_PROJECTS: usize = 100;

/// One client's stream. It is pulled: a slow client falls behind and reads the log, and costs no memory.
pub struct Follower {
    hub: Arc<Hub>,
    user: Uuid,
    followed: Vec<Followed>,
    /// What concerns the caller wherever it happens.
    own: Seat,
    /// There while the channel `me` is followed.
    me: Option<Listening>,
    wake: Arc<Notify>,
    /// Where others write while this rests; without one, it does so itself.
    outlet: Option<Arc<Outlet>>,
    /// Where it hears who is there; without it, it does not.
    ear: Option<Arc<Ear>>,
    /// The rest of a piece of which a part is written.
    unsent: Bytes,
    /// Whether the client has been told that JetStream is away.
    degraded: bool,
    shutdown: CancellationToken,
    /// When it ends because the instance goes away.
    ends_at: Option<Instant>,
    /// Said before anything else.
    notices: VecDeque<Notice>,
    /// Taken, and not sent yet.
    pending: VecDeque<Arc<Frame>>,
    /// Taken up to here.
    taken: Cursor,
    /// Sent up to here.
    served: Cursor,
    /// Up to here the rings may lack what the caller is told: nobody listened then.
    untold: Cursor,
    /// Has been in the rings: falling out of them is worth telling.
    live: bool,
    heartbeat: Pin<Box<Sleep>>,
    term: Term,
    ended: bool,
    /// How often the hub had begun anew when this one began: what was sent since may be of a log that is no more.
    restarts: u64,
    stream: OpenStream,
    _place: Place,
    _counted: Counted,
}

struct Followed {
    door: Door,
    /// Its events come from behind here on.
    from: Cursor,
    seat: Seat,
}

impl Followed {
    fn sit_down(hub: &Hub, door: Door, from: Cursor, wake: &Arc<Notify>, ear: Option<&Arc<Ear>>) -> Self {
        let seat = hub.join(Channel::Project(door.project), wake);
        if let Some(ear) = ear {
            seat.hear(Arc::clone(ear));
        }
        Self { door, from, seat }
    }
}

impl Follower {
    /// The hub must have begun.
    pub fn new(hub: Arc<Hub>, opening: Opening, shutdown: CancellationToken) -> Self {
        let restarts = hub.restarts();
        let wake = Arc::new(Notify::new());
        let ear = opening.presence.then(|| Ear::new(Arc::clone(&wake)));
        // Where it begins is known when it has sat down.
        let sit_down = |door| Followed::sit_down(&hub, door, Cursor::behind(0), &wake, ear.as_ref());
        let mut followed: Vec<Followed> = opening.projects.into_iter().map(sit_down).collect();
        let user = opening.user.0;
        let own = hub.join(Channel::Person(user), &wake);
        let me = opening.me.then(|| hub.listen());
        let untold = me.as_ref().map_or(Cursor::behind(0), |_| hub.untold());
        // After sitting down: what is announced from here on is in the rings.
        let head = hub.position();
        let from = opening.from.unwrap_or(Cursor::behind(head));
        followed.iter_mut().for_each(|f| f.from = from);
        let stream = hub.streams().open(user, &wake);
        let hello = Notice::Hello { from, head, stream: stream.id, log: hub.log() };
        let revoked = opening.revoked.into_iter().map(|project| Notice::Revoked { project });
        Self {
            user,
            followed,
            own,
            me,
            wake,
            outlet: None,
            ear,
            unsent: Bytes::new(),
            degraded: false,
            shutdown,
            ends_at: None,
            notices: [hello].into_iter().chain(revoked).collect(),
            pending: VecDeque::new(),
            taken: from,
            served: from,
            untold,
            live: false,
            heartbeat: Box::pin(tokio::time::sleep(HEARTBEAT)),
            term: Term::new(opening.expires_at, opening.revoked_token),
            ended: false,
            stream,
            _place: opening.place,
            restarts,
            hub,
            _counted: Counted::new(),
        }
    }

    /// From now on others write to this socket, while the follower rests.
    pub fn write_to(&mut self, socket: TcpStream) -> Arc<Outlet> {
        let outlet = Arc::new(Outlet::new(socket, self.user, self.me.is_some(), Arc::clone(&self.wake)));
        for seat in self.seats() {
            seat.write_to(Arc::clone(&outlet));
        }
        if let Some(ear) = &self.ear {
            ear.write_to(Arc::clone(&outlet));
        }
        self.outlet = Some(Arc::clone(&outlet));
        outlet
    }

    /// What to send next; `None` at the end.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if !self.unsent.is_empty() {
                return Some(std::mem::take(&mut self.unsent));
            }
            if let Some(notice) = self.notices.pop_front() {
                return Some(notice.encode(self.hub.epoch()));
            }
            if self.ended {
                return None;
            }
            if self.hub.restarts() != self.restarts {
                return Some(self.end(Notice::Reset { head: self.hub.position() }));
            }
            if self.is_its_turn_to_end() {
                return Some(self.end(Notice::Drain { served: self.served, retry_ms: spread() }));
            }
            if self.term.is_over() {
                return Some(self.end(Notice::Reauth { seconds: 0 }));
            }
            if let Some(ask) = self.stream.line.next_ask() {
                self.change(ask);
                continue;
            }
            if let Some(left) = self.term.is_to_be_told() {
                return Some(Notice::Reauth { seconds: left.as_secs().max(1) }.encode(self.hub.epoch()));
            }
            // What is ahead of the read tables is looked at when they are there: nothing of it is sent before.
            if self.is_in_doubt() && self.hub.position() >= self.taken.position() {
                self.look_who_may_stay().await;
                continue;
            }
            if !self.pending.is_empty() {
                match self.piece() {
                    piece if piece.is_empty() => continue,
                    piece => return Some(piece),
                }
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
                return Some(Notice::Heartbeat { served: self.served, head: self.head() }.encode(self.hub.epoch()));
            }
            if self.degraded != self.hub.is_degraded() {
                self.degraded = !self.degraded;
                let (served, head) = (self.served, self.head());
                return Some(Notice::Broker { away: self.degraded, served, head }.encode(self.hub.epoch()));
            }
            self.take().await;
        }
    }

    fn is_its_turn_to_end(&mut self) -> bool {
        self.shutdown.is_cancelled()
            && *self.ends_at.get_or_insert_with(|| Instant::now() + self.hub.turn()) <= Instant::now()
    }

    /// What is taken and not sent yet, as one piece, up to what has to be thought about. Empty when none of it is for
    /// this client. Frames of one place go together: no change of channels comes between them.
    fn piece(&mut self) -> Bytes {
        let mut frames = Vec::new();
        let mut size = 0;
        while self.notices.is_empty() && !self.ended {
            let served = self.served;
            let Some(frame) = self.pending.pop_front_if(|next| size < PIECE || next.at == served) else { break };
            if let Some(bytes) = self.deliver(&frame) {
                size += bytes.len();
                frames.push(bytes);
            }
        }
        match frames.len() {
            1 => frames.swap_remove(0),
            _ => frames.concat().into(),
        }
    }

    fn end(&mut self, last: Notice) -> Bytes {
        self.ended = true;
        last.encode(self.hub.epoch())
    }

    fn head(&self) -> i64 {
        self.hub.position().max(self.served.position())
    }

    fn seats(&self) -> Vec<&Seat> {
        self.followed.iter().map(|f| &f.seat).chain([&self.own]).collect()
    }

    /// What the rings have behind `after`; `None` when it is to be read from the log.
    fn recent(&self, after: Cursor) -> Option<Next> {
        if after < self.untold { None } else { self.hub.recent(&self.seats(), after) }
    }

    fn look(&mut self) {
        if let Some(next) = self.recent(self.taken) {
            self.took(next);
        }
    }

    /// Takes what is next, or waits until something may be: an event, a heartbeat, the end.
    async fn take(&mut self) {
        // Counted before the look at the rings: what is heard after a removal is not sent before it.
        let heard = self.ear.as_ref().map_or(0, |ear| ear.count());
        match self.recent(self.taken) {
            Some(next) => {
                self.live = true;
                let something = !next.frames.is_empty();
                self.took(next);
                if !something && !self.pass_on(heard) {
                    self.wait(self.is_in_doubt().then_some(RETRY_AFTER)).await;
                }
            }
            None if self.live => {
                self.live = false;
                self.notices.push_back(Notice::Lagging { served: self.served, head: self.head() });
            }
            None => {
                let projects: Vec<Uuid> = self.followed.iter().map(|f| f.door.project).collect();
                let losses_after = self.followed.iter().map(|f| f.door.member_at).min().unwrap_or(i64::MAX);
                let me = self.me.is_some();
                let wanted = Wanted { projects: &projects, user: self.user, me, losses_after };
                // Boxed: a stream at rest does not carry the room that a query needs.
                match Box::pin(self.hub.catch_up(wanted, self.taken)).await {
                    Ok(next) => self.took(next),
                    Err(error) => {
                        tracing::debug!(%error, "a stream could not catch up, trying again");
                        self.wait(Some(RETRY_AFTER)).await;
                    }
                }
            }
        }
    }

    /// Sends the first `heard` pieces of what was heard of who is there, now that there is nothing else to send. Whether there
    /// was anything.
    fn pass_on(&mut self, heard: usize) -> bool {
        let Some(ear) = &self.ear else { return false };
        let (mut pieces, missed) = ear.take(heard);
        pieces.extend(missed.into_iter().map(|room| (room, presence::stale(room))));
        pieces.retain(|(room, _)| self.followed.iter().any(|f| f.door.project == *room));
        self.unsent = pieces.iter().flat_map(|(_, piece)| piece).copied().collect();
        !self.unsent.is_empty()
    }

    fn took(&mut self, next: Next) {
        self.taken = next.upto;
        self.pending = next.frames.into();
        if self.pending.is_empty() {
            self.served = self.taken;
        }
    }

    async fn wait(&mut self, at_most: Option<Duration>) {
        if at_most.is_none() && !self.rest() {
            return;
        }
        let looks = at_most.map(|d| Instant::now() + d).into_iter().chain(self.ends_at);
        let until = looks.fold(self.term.next_look(), Instant::min);
        tokio::select! {
            () = self.wake.notified(), if at_most.is_none() => {}
            () = self.heartbeat.as_mut() => {}
            () = tokio::time::sleep_until(until) => {}
            () = self.shutdown.cancelled(), if self.ends_at.is_none() => {}
            () = self.term.revoked() => {}
        }
        self.go_to_work();
    }

    /// Leaves writing to others, if there is still nothing to do.
    fn rest(&mut self) -> bool {
        let heard = |ear: &Option<Arc<Ear>>| ear.as_ref().is_some_and(|ear| !ear.rest());
        let Some(outlet) = &self.outlet else { return !heard(&self.ear) };
        outlet.rest(self.served);
        let events = self.recent(self.served).is_none_or(|next| !next.frames.is_empty());
        let news = events || heard(&self.ear);
        if news {
            self.go_to_work();
        }
        !news
    }

    /// Takes over from where others have written to.
    fn go_to_work(&mut self) {
        if let Some(ear) = &self.ear {
            ear.go_to_work();
        }
        if let Some(back) = self.outlet.as_ref().and_then(|outlet| outlet.take_back()) {
            self.taken = back.served;
            self.served = back.served;
            self.unsent = back.unsent;
        }
    }
}

/// A number of milliseconds, another for each client.
fn spread() -> u32 {
    let random = clock::new_id().as_u128() as u32;
    100 + random % DRAIN_MS
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
