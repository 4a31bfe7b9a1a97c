//! Hub: all channels of this instance, and the position up to which their rings are filled.

/// Frames for everybody, of events of no project.
mod reauthorizations;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sqlx::PgPool;
use taskfold_event_log::deadline::within;
use taskfold_event_log::{Clock, LogIdentity, metrics};
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use uuid::Uuid;

use super::channel::{Channel, Subscription};
use super::cursor::Cursor;
use super::drain_slots::DrainSlots;
use super::frame::{ChannelId, Frame};
use super::membership::{MembershipReader, RequiredTables, require_checkpoint};
use super::personal_frames;
use super::registry::StreamRegistry;
use super::revocations::{self, AccessChange};
use super::stream_quota::StreamQuotas;
use super::writer_threads::{EphemeralFrames, FrameBatch, WriterThreads};

/// Time for which an empty channel is kept, for clients that reconnect.
const KEEP_EMPTY_CHANNEL: Duration = Duration::from_secs(60);
/// Frames that one catch-up read holds in memory.
const CATCH_UP_PAGE: i64 = 100;
/// Limit for one catch-up page, which takes milliseconds unless the log has many other events in between.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(10);
/// Frames that a subscriber takes from the rings at once.
const MAX_FRAMES_PER_READ: usize = 256;

/// Channels and shared state of all streams.
pub struct Hub {
    pool: PgPool,
    members: MembershipReader,
    quotas: StreamQuotas,
    streams: StreamRegistry,
    drain_slots: DrainSlots,
    channels: Mutex<HashMap<ChannelId, Arc<Channel>>>,
    /// `None` until the feeder has started.
    position: watch::Sender<Option<i64>>,
    catch_up_slots: Semaphore,
    /// Number of streams that carry the channel `me`.
    personal_interest: AtomicUsize,
    /// Position up to which rings may lack personal frames, because no stream carried the channel `me`.
    personal_gap_end: AtomicI64,
    writers: WriterThreads,
    /// Events come from the log, because JetStream is unavailable.
    degraded: AtomicBool,
    log: watch::Receiver<LogIdentity>,
    /// Number of times that all streams were reset, because the log lacked a published event.
    restarts: AtomicU64,
    /// Position of the last event of no project that could not be read: everybody is authorized again after it.
    reauthorized_at: AtomicI64,
    /// Receiver of revocations outside of the streams.
    revocations: OnceLock<mpsc::UnboundedSender<AccessChange>>,
    clock: Clock,
}

/// Next frames of a subscriber.
#[derive(Debug)]
pub struct NextFrames {
    /// In order of position.
    pub frames: Vec<Arc<Frame>>,
    /// Cursor up to which the subscriber has been served with these frames.
    pub upto: Cursor,
}

/// Selection of frames that a subscriber reads from the log.
#[derive(Clone, Copy, Debug)]
pub struct CatchUp<'a> {
    pub projects: &'a [Uuid],
    pub user: Uuid,
    /// Personal frames are read too.
    pub personal: bool,
    /// Position up to which revocations are history: the user was seen to be a member afterwards.
    pub revocations_after: i64,
}

impl Hub {
    pub fn new(
        pool: PgPool,
        log: watch::Receiver<LogIdentity>,
        quotas: StreamQuotas,
        writers: WriterThreads,
        clock: Clock,
    ) -> Arc<Self> {
        Arc::new(Self {
            members: MembershipReader::new(pool.clone()),
            pool,
            quotas,
            streams: StreamRegistry::new(clock.clone()),
            drain_slots: DrainSlots::default(),
            channels: Mutex::default(),
            position: watch::Sender::new(None),
            catch_up_slots: Semaphore::new(concurrent_catch_ups()),
            personal_interest: AtomicUsize::new(0),
            personal_gap_end: AtomicI64::new(0),
            writers,
            degraded: AtomicBool::new(false),
            log,
            restarts: AtomicU64::new(0),
            reauthorized_at: AtomicI64::new(0),
            revocations: OnceLock::new(),
            clock,
        })
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub fn members(&self) -> &MembershipReader {
        &self.members
    }

    pub fn quotas(&self) -> &StreamQuotas {
        &self.quotas
    }

    /// Id of the log.
    pub fn log(&self) -> Uuid {
        self.log.borrow().id
    }

    /// Number of adoptions of the log, which is a part of each `id:`.
    pub fn epoch(&self) -> usize {
        self.log.borrow().epoch()
    }

    /// Translates a cursor of an earlier epoch to the current log; `None` if the logs differ before it.
    pub fn resume(&self, (cursor, epoch): (Cursor, usize)) -> Option<Cursor> {
        // The later of the cursor's two positions: the client may have its personal frames.
        self.log.borrow().shares(epoch, cursor.personal_position())?.then_some(cursor)
    }

    /// Last position that the log of `epoch` has in common with the current one; `None` if it is not known.
    pub fn fork_position(&self, epoch: Option<usize>) -> Option<i64> {
        let log = self.log.borrow();
        let known = epoch.and_then(|epoch| log.former.get(epoch)).copied();
        known.and_then(|known| log.in_common_with(known))
    }

    pub fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::SeqCst)
    }

    /// Resets all streams to this position, because the log lacks a published event.
    pub fn restart(&self, position: i64) {
        {
            let channels = self.channels();
            self.restarts.fetch_add(1, Ordering::SeqCst);
            self.personal_gap_end.store(position, Ordering::SeqCst);
            self.position.send_replace(Some(position));
            channels.values().for_each(|channel| channel.ring().restart(Cursor::after(position)));
        }
        self.channels().values().for_each(|channel| channel.wake_all());
        metrics::hub_restarts().increment(1);
    }

    /// Open streams of this instance.
    pub fn streams(&self) -> &StreamRegistry {
        &self.streams
    }

    /// Takes a drain slot at shutdown, and returns the delay after which that stream ends.
    pub fn drain_delay(&self) -> Duration {
        self.drain_slots.take(self.streams.count())
    }

    /// Position up to which events are published; 0 before the feeder has started.
    pub fn position(&self) -> i64 {
        self.position.borrow().unwrap_or_default()
    }

    /// Waits until the feeder has started. Returns whether it has within `limit`.
    pub async fn has_started(&self, limit: Duration) -> bool {
        let mut position = self.position.subscribe();
        tokio::time::timeout(limit, position.wait_for(Option::is_some)).await.is_ok_and(|started| started.is_ok())
    }

    /// Subscribes to a channel: frames published from now on notify `wake`.
    pub fn subscribe(&self, channel: ChannelId, wake: &Arc<Notify>) -> Subscription {
        let mut channels = self.channels();
        let channel = channels.entry(channel).or_insert_with(|| Arc::new(Channel::new(Cursor::after(self.position()))));
        channel.subscribe(Arc::clone(wake))
    }

    /// Registers a stream that carries the channel `me`, until the returned value is dropped.
    pub fn register_personal_interest(self: &Arc<Self>) -> PersonalInterest {
        self.personal_interest.fetch_add(1, Ordering::SeqCst);
        PersonalInterest(Arc::clone(self))
    }

    /// Returns whether any stream carries the channel `me`.
    pub fn has_personal_interest(&self) -> bool {
        self.personal_interest.load(Ordering::SeqCst) > 0
    }

    /// Cursor up to which personal frames must be read from the log, by a stream whose interest is registered.
    pub fn personal_gap_end(&self) -> Cursor {
        Cursor::after(self.personal_gap_end.load(Ordering::SeqCst))
    }

    /// Records that the events up to `upto`, which are published next, come without personal frames.
    pub fn omit_personal_frames(&self, upto: i64) {
        self.personal_gap_end.store(upto, Ordering::SeqCst);
    }

    /// Makes all subscribers read the log up to `upto`, because personal frames could not be read.
    pub fn force_catch_up(&self, upto: i64) {
        for channel in self.channels().values() {
            channel.ring().restart(Cursor::after(upto));
            channel.wake_all();
        }
    }

    pub fn is_degraded(&self) -> bool {
        self.degraded.load(Ordering::Relaxed)
    }

    /// Sets whether JetStream is unavailable, and wakes all subscribers if that changed.
    pub fn set_degraded(&self, degraded: bool) {
        if self.degraded.swap(degraded, Ordering::Relaxed) != degraded {
            metrics::hub_degraded().set(f64::from(degraded));
            self.channels().values().for_each(|channel| channel.wake_all());
        }
    }

    /// Publishes the frames after the hub's position and up to `upto`, in order. Only the feeder calls this.
    pub fn publish(&self, frames: Vec<Frame>, upto: i64) {
        let mut touched: Vec<Arc<Channel>> = Vec::new();
        let mut batch = FrameBatch::new();
        {
            let channels = self.channels();
            for frame in self.with_reauthorizations(frames, &channels) {
                if let Some(change) = AccessChange::of(&frame)
                    && let Some(revocations) = self.revocations.get()
                {
                    // The receiver may have ended, at shutdown.
                    let _ = revocations.send(change);
                }
                if let Some(channel) = channels.get(&frame.channel) {
                    if !touched.iter().any(|t| Arc::ptr_eq(t, channel)) {
                        touched.push(Arc::clone(channel));
                    }
                    let frame = Arc::new(frame);
                    if channel.has_parked_sockets() {
                        batch.push((Arc::clone(channel), Arc::clone(&frame)));
                    }
                    channel.ring().push(frame);
                }
            }
            // Under the same lock as the rings: a channel created later starts here and lacks nothing.
            self.position.send_replace(Some(upto));
        }
        // After the position: a subscriber that parks meanwhile reads the rings once more.
        if !batch.is_empty() {
            self.writers.write(batch);
        }
        for channel in touched {
            channel.wake();
        }
        metrics::hub_position().set(upto as f64);
    }

    /// Returns the receiver of all changes of access. Only the first caller receives any.
    pub fn revocations(&self) -> mpsc::UnboundedReceiver<AccessChange> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let _ = self.revocations.set(sender);
        receiver
    }

    /// Sends ephemeral frames to the idle streams of a project. `frames` is only called if a stream carries them.
    pub fn publish_ephemeral(&self, project: Uuid, frames: impl FnOnce() -> Vec<Bytes>) {
        let channel = self.channels().get(&ChannelId::Project(project)).filter(|c| c.has_ephemeral_queues()).cloned();
        if let Some(channel) = channel {
            self.writers.write_ephemeral(EphemeralFrames { channel, project, frames: frames() });
        }
    }

    /// Reads the frames of these channels after `after` from the rings; `None` if one of them does not reach back so
    /// far.
    pub fn recent(&self, subscriptions: &[&Subscription], after: Cursor) -> Option<NextFrames> {
        // Before the rings are read: frames that they get later are after this position.
        let upto = Cursor::after(self.position()).max(after);
        let mut frames = Vec::new();
        for subscription in subscriptions {
            frames.append(&mut subscription.channel().ring().between(after, upto, MAX_FRAMES_PER_READ)?);
        }
        Some(merge(frames, upto))
    }

    /// Reads the next page of frames after `after` from the log.
    pub async fn catch_up(&self, selection: CatchUp<'_>, after: Cursor) -> sqlx::Result<NextFrames> {
        let published = self.position();
        let head = published.max(after.position());
        let _slot = self.catch_up_slots.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
        within(CATCH_UP_LIMIT, Box::pin(self.page(selection, after, (published, head)))).await
    }

    async fn page(
        &self,
        CatchUp { projects, user, personal, revocations_after }: CatchUp<'_>,
        after: Cursor,
        (published, head): (i64, i64),
    ) -> sqlx::Result<NextFrames> {
        let tables = if personal { RequiredTables::Intervals } else { RequiredTables::Current };
        require_checkpoint(&self.pool, tables, published).await?;
        let events =
            taskfold_event_log::project_page_after(&self.pool, projects, after.position(), head, CATCH_UP_PAGE).await?;
        let epoch = self.epoch();
        let personal = match personal {
            true => personal_frames::of_user(&self.pool, user, epoch, after, (head, CATCH_UP_PAGE)).await?,
            false => Vec::new(),
        };
        metrics::sse_catch_up_reads().increment(1);
        // A full page may have more after it, and nothing after its last frame may be served yet.
        let is_full = |count: usize| i64::try_from(count).unwrap_or(i64::MAX) >= CATCH_UP_PAGE;
        let end_of_events = events.last().filter(|_| is_full(events.len())).map(|last| Cursor::after(last.position));
        let end_of_personal = personal.last().filter(|_| is_full(personal.len())).map(|last| last.at);
        let ends = end_of_events.into_iter().chain(end_of_personal);
        let upto = ends.fold(Cursor::after(head).max(after), Cursor::min);
        let revocations_after = revocations_after.max(after.position());
        let revocations = revocations::of_user(&self.pool, user, projects, revocations_after, upto.position()).await?;
        let events = events.iter().map(|event| Frame::from_log(event, epoch));
        let frames = events.chain(personal).chain(revocations.iter().map(Frame::of_revocation));
        let reauthorized_at = self.reauthorized_at.load(Ordering::SeqCst);
        let frames = frames.chain(projects.iter().map(|project| Frame::of_reauthorization(reauthorized_at, *project)));
        let mut frames: Vec<Arc<Frame>> =
            frames.filter(|frame| frame.at > after && frame.at <= upto).map(Arc::new).collect();
        frames.sort_by_key(|frame| frame.order());
        Ok(NextFrames { frames, upto })
    }

    /// Removes channels that have been empty for a while, and the quotas of users without streams.
    pub fn remove_idle(&self) {
        self.quotas.remove_idle();
        let mut channels = self.channels();
        channels.retain(|_, channel| channel.empty_since().is_none_or(|since| since.elapsed() < KEEP_EMPTY_CHANNEL));
        metrics::hub_channels().set(channels.len() as f64);
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<ChannelId, Arc<Channel>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Catch-up reads at one time: a wave of reconnects must leave connections and cores to other work.
fn concurrent_catch_ups() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2).clamp(1, 4)
}

/// Merges the frames of several rings. Each ring returned its first `MAX_FRAMES_PER_READ` frames: one that returned
/// that many may have more, and nothing after its last frame may be served yet.
fn merge(mut frames: Vec<Arc<Frame>>, upto: Cursor) -> NextFrames {
    frames.sort_by_key(|f| f.order());
    let is_full = frames.len() >= MAX_FRAMES_PER_READ;
    // Frames with the same cursor are served together, or the later ones would be skipped.
    let last = frames.get(MAX_FRAMES_PER_READ - 1).map(|f| f.at);
    frames.retain(|f| last.is_none_or(|last| f.at <= last));
    let upto = last.filter(|_| is_full).unwrap_or(upto);
    NextFrames { frames, upto }
}

/// Registration of a stream that carries the channel `me`, withdrawn on drop.
pub struct PersonalInterest(Arc<Hub>);

impl Drop for PersonalInterest {
    fn drop(&mut self) {
        self.0.personal_interest.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests;
