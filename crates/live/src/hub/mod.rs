use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sqlx::PgPool;
use taskfold_event_log::LogIdentity;
use taskfold_event_log::deadline::within;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use uuid::Uuid;

use super::cursor::Cursor;
use super::drain::Turns;
use super::frame::{Channel, Frame, Kind};
use super::losses::{self, Loss};
use super::membership::{Members, Tables, must_have};
use super::notices;
use super::open::Streams;
use super::places::Places;
use super::room::{Room, Seat};
use super::writers::{Passing, Writers};

/// A room that nobody sits in is kept for somebody who comes right back.
const KEEP_EMPTY_ROOM: Duration = Duration::from_secs(60);
/// A storm of reconnects reads the log through this many doors, and leaves connections and cores to others.
fn catch_ups_at_once() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2).clamp(1, 4)
}
/// Of a catch-up: what one follower holds in memory at once.
const CATCH_UP_PAGE: i64 = 100;
/// For a page: milliseconds, unless the log has much of others between two events.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(10);
/// Of frames that a follower takes from the rings at once.
const TAKE: usize = 256;

/// All rooms, and the position up to which they are filled.
pub struct Hub {
    pool: PgPool,
    members: Members,
    places: Places,
    streams: Streams,
    turns: Turns,
    rooms: Mutex<HashMap<Channel, Arc<Room>>>,
    /// `None` until the feeder knows where it starts.
    position: watch::Sender<Option<i64>>,
    catch_ups: Semaphore,
    /// How many follow the channel `me`.
    listening: AtomicUsize,
    /// Up to here, the rooms of people may lack what they are told: nobody listened then.
    untold: AtomicI64,
    writers: Writers,
    /// Whether events come from the log, because JetStream is away.
    degraded: AtomicBool,
    /// Which log it is.
    log: watch::Receiver<LogIdentity>,
    /// How often all began anew, because the log lacked what was announced.
    restarts: AtomicU64,
    /// Where to say who has lost sight of a project.
    losses: OnceLock<mpsc::UnboundedSender<Loss>>,
}

/// What comes next for a follower.
#[derive(Debug)]
pub struct Next {
    /// In order of position.
    pub frames: Vec<Arc<Frame>>,
    /// With these frames, the follower has been served up to here.
    pub upto: Cursor,
}

/// What somebody reads of the log to catch up.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub projects: &'a [Uuid],
    pub user: Uuid,
    /// Also what they are told.
    pub me: bool,
    /// Losses of sight up to here are history: they could see the projects afterwards.
    pub losses_after: i64,
}

impl Hub {
    pub fn new(pool: PgPool, log: watch::Receiver<LogIdentity>, places: Places, writers: Writers) -> Arc<Self> {
        Arc::new(Self {
            members: Members::new(pool.clone()),
            pool,
            places,
            streams: Streams::of_new_instance(),
            turns: Turns::default(),
            rooms: Mutex::default(),
            position: watch::Sender::new(None),
            catch_ups: Semaphore::new(catch_ups_at_once()),
            listening: AtomicUsize::new(0),
            untold: AtomicI64::new(0),
            writers,
            degraded: AtomicBool::new(false),
            log,
            restarts: AtomicU64::new(0),
            losses: OnceLock::new(),
        })
    }

    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub fn members(&self) -> &Members {
        &self.members
    }

    pub fn places(&self) -> &Places {
        &self.places
    }

    /// The id of the log.
    pub fn log(&self) -> Uuid {
        self.log.borrow().id
    }

    /// How often the log was adopted: a part of each `id:`.
    pub fn epoch(&self) -> usize {
        self.log.borrow().epoch()
    }

    /// Where a client goes on that was served up to `id`; `None` when that was in a log that went on otherwise.
    pub fn resume(&self, (cursor, epoch): (Cursor, usize)) -> Option<Cursor> {
        // Of two positions, the one of which the client may have been told.
        self.log.borrow().shares(epoch, cursor.told_position())?.then_some(cursor)
    }

    /// The last position that the log of `epoch` shares with the current one; `None` when that is not known.
    pub fn fork_position(&self, epoch: Option<usize>) -> Option<i64> {
        let log = self.log.borrow();
        let known = epoch.and_then(|epoch| log.former.get(epoch)).copied();
        known.and_then(|known| log.in_common_with(known))
    }

    pub fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::SeqCst)
    }

    /// The log lacks what was announced: everybody starts over, from what it has.
    pub fn restart(&self, position: i64) {
        {
            let rooms = self.rooms();
            self.restarts.fetch_add(1, Ordering::SeqCst);
            self.untold.store(position, Ordering::SeqCst);
            self.position.send_replace(Some(position));
            rooms.values().for_each(|room| room.ring().restart(Cursor::behind(position)));
        }
        self.rooms().values().for_each(|room| room.call());
        metrics::counter!("taskfold_hub_restarts_total").increment(1);
    }

    /// Those that are open here.
    pub fn streams(&self) -> &Streams {
        &self.streams
    }

    /// The instance goes away: after how long one more stream is to end.
    pub fn turn(&self) -> Duration {
        self.turns.next(self.streams.count())
    }

    /// Up to where events are announced; 0 before the feeder knows.
    pub fn position(&self) -> i64 {
        self.position.borrow().unwrap_or_default()
    }

    /// Whether the hub has begun, waiting for it a moment.
    pub async fn has_begun(&self, limit: Duration) -> bool {
        let mut position = self.position.subscribe();
        tokio::time::timeout(limit, position.wait_for(Option::is_some)).await.is_ok_and(|begun| begun.is_ok())
    }

    /// Sits down in the room of a channel. What is announced there from now on wakes `wake`.
    pub fn join(&self, channel: Channel, wake: &Arc<Notify>) -> Seat {
        let mut rooms = self.rooms();
        let room = rooms.entry(channel).or_insert_with(|| Arc::new(Room::new(Cursor::behind(self.position()))));
        room.join(Arc::clone(wake))
    }

    /// Says that somebody follows the channel `me`, until the answer is dropped.
    pub fn listen(self: &Arc<Self>) -> Listening {
        self.listening.fetch_add(1, Ordering::SeqCst);
        Listening(Arc::clone(self))
    }

    /// Whether anybody follows the channel `me`.
    pub fn somebody_listens(&self) -> bool {
        self.listening.load(Ordering::SeqCst) > 0
    }

    /// Up to where what people are told is to be read from the log. For whoever listens already.
    pub fn untold(&self) -> Cursor {
        Cursor::behind(self.untold.load(Ordering::SeqCst))
    }

    /// Nobody listens, and so nobody is told of the events up to here, which are published next.
    pub fn leave_untold(&self, upto: i64) {
        self.untold.store(upto, Ordering::SeqCst);
    }

    /// What people are told up to here could not be had: whoever is in any room is to read it themselves.
    pub fn miss(&self, upto: i64) {
        for room in self.rooms().values() {
            room.ring().restart(Cursor::behind(upto));
            room.call();
        }
    }

    pub fn is_degraded(&self) -> bool {
        self.degraded.load(Ordering::Relaxed)
    }

    /// Everybody is told when it changes.
    pub fn set_degraded(&self, degraded: bool) {
        if self.degraded.swap(degraded, Ordering::Relaxed) != degraded {
            metrics::gauge!("taskfold_hub_degraded").set(f64::from(degraded));
            self.rooms().values().for_each(|room| room.call());
        }
    }

    /// Takes the events behind the hub's position up to `upto`, in order. Only the feeder does this.
    pub fn publish(&self, frames: Vec<Frame>, upto: i64) {
        let mut touched: Vec<Arc<Room>> = Vec::new();
        let mut news = Vec::new();
        {
            let rooms = self.rooms();
            for frame in frames {
                if let (Kind::Revokes(project), Channel::Person(user)) = (frame.kind, frame.channel)
                    && let Some(losses) = self.losses.get()
                {
                    // Nobody may listen any more: the end of the program.
                    let _ = losses.send(Loss { position: frame.at.position(), project, user });
                }
                if let Some(room) = rooms.get(&frame.channel) {
                    if !touched.iter().any(|t| Arc::ptr_eq(t, room)) {
                        touched.push(Arc::clone(room));
                    }
                    let frame = Arc::new(frame);
                    if room.has_outlets() {
                        news.push((Arc::clone(room), Arc::clone(&frame)));
                    }
                    room.ring().push(frame);
                }
            }
            // Under the same lock as the rings: a room made later starts here and lacks nothing.
            self.position.send_replace(Some(upto));
        }
        // After the position: who comes to rest meanwhile looks at the rings once more.
        if !news.is_empty() {
            self.writers.send(news);
        }
        for room in touched {
            room.wake();
        }
        metrics::gauge!("taskfold_hub_position").set(upto as f64);
    }

    /// Who loses sight of which project, for the one who asks first.
    pub fn losses(&self) -> mpsc::UnboundedReceiver<Loss> {
        let (sender, receiver) = mpsc::unbounded_channel();
        // A second one would hear nothing.
        let _ = self.losses.set(sender);
        receiver
    }

    /// Says what is worth nothing later to the streams at rest in the room of a project that want to hear it; made only if there are any.
    pub fn pass(&self, project: Uuid, pieces: impl FnOnce() -> Vec<Bytes>) {
        let listening = self.rooms().get(&Channel::Project(project)).filter(|room| room.has_ears()).cloned();
        if let Some(listening) = listening {
            self.writers.pass(Passing { room: listening, of: project, pieces: pieces() });
        }
    }

    /// What the rings hold of these rooms behind `after`; `None` when the follower is too far behind for one of them.
    pub fn recent(&self, seats: &[&Seat], after: Cursor) -> Option<Next> {
        // Before the rings: whatever they are given afterwards is beyond it.
        let upto = Cursor::behind(self.position()).max(after);
        let mut frames = Vec::new();
        for seat in seats {
            frames.append(&mut seat.room().ring().between(after, upto, TAKE)?);
        }
        Some(in_order(frames, upto))
    }

    /// The same from the log, a page at a time.
    pub async fn catch_up(&self, wanted: Wanted<'_>, after: Cursor) -> sqlx::Result<Next> {
        let announced = self.position();
        let head = announced.max(after.position());
        let _door = self.catch_ups.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
        within(CATCH_UP_LIMIT, Box::pin(self.page(wanted, after, (announced, head)))).await
    }

    async fn page(
        &self,
        Wanted { projects, user, me, losses_after }: Wanted<'_>,
        after: Cursor,
        (announced, head): (i64, i64),
    ) -> sqlx::Result<Next> {
        let tables = if me { Tables::WithIntervals } else { Tables::OfToday };
        must_have(&self.pool, tables, announced).await?;
        let page = (after.position(), head, CATCH_UP_PAGE);
        let events = taskfold_event_log::project_page_after(&self.pool, projects, page.0, page.1, page.2).await?;
        let told = match me {
            true => notices::told_to(&self.pool, user, self.epoch(), after, (head, CATCH_UP_PAGE)).await?,
            false => Vec::new(),
        };
        let epoch = self.epoch();
        metrics::counter!("taskfold_sse_catch_up_reads_total").increment(1);
        // A full page may have more behind it, and nothing beyond its last may be served yet.
        let full = |count: usize| i64::try_from(count).unwrap_or(i64::MAX) >= CATCH_UP_PAGE;
        let end_of_events = events.last().filter(|_| full(events.len())).map(|last| Cursor::behind(last.position));
        let end_of_told = told.last().filter(|_| full(told.len())).map(|last| last.at);
        let ends = end_of_events.into_iter().chain(end_of_told);
        let upto = ends.fold(Cursor::behind(head).max(after), Cursor::min);
        let losses_after = losses_after.max(after.position());
        let losses = losses::of_person(&self.pool, user, projects, losses_after, upto.position()).await?;
        let events = events.iter().filter_map(|event| {
            Frame::from_log(event, epoch).inspect_err(|e| tracing::error!(%e, "left out of a stream")).ok()
        });
        let frames = events.chain(told).chain(losses.iter().map(Frame::of_loss));
        let mut frames: Vec<Arc<Frame>> =
            frames.filter(|frame| frame.at > after && frame.at <= upto).map(Arc::new).collect();
        frames.sort_by_key(|frame| frame.order());
        Ok(Next { frames, upto })
    }

    /// Forgets rooms that have been empty for a while, and people who have gone.
    pub fn tidy(&self) {
        self.places.tidy();
        let mut rooms = self.rooms();
        rooms.retain(|_, room| room.empty_since().is_none_or(|since| since.elapsed() < KEEP_EMPTY_ROOM));
        metrics::gauge!("taskfold_hub_rooms").set(rooms.len() as f64);
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<Channel, Arc<Room>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Merges what several rings gave. Each gave its first `TAKE` frames, so one that gave that many may have more behind
/// its last, and nothing beyond that may be served yet.
fn in_order(mut frames: Vec<Arc<Frame>>, upto: Cursor) -> Next {
    frames.sort_by_key(|f| f.order());
    let full = frames.len() >= TAKE;
    // Frames of one place are served together, or the second would be left behind.
    let last = frames.get(TAKE - 1).map(|f| f.at);
    frames.retain(|f| last.is_none_or(|last| f.at <= last));
    let upto = last.filter(|_| full).unwrap_or(upto);
    Next { frames, upto }
}

/// Somebody follows the channel `me`.
pub struct Listening(Arc<Hub>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.listening.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests;
