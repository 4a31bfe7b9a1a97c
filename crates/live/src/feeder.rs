//! Feeder: delivers every event to the hub once and in order.
//!
//! Events come from JetStream while it delivers, and otherwise from the log. Whatever is not the next position is read
//! again from the log. Nothing after the checkpoint of the read tables is published, whatever JetStream has.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::TryFutureExt as _;
use taskfold_event_log::deadline::{REQUEST, within};
use taskfold_event_log::{LogIdentity, PublicationKey, Worker, metrics};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::frame::{Frame, FrameKind};
use super::hub::Hub;
use super::jetstream::{StreamConsumer, StreamMessage};
use super::membership::{RequiredTables, require_checkpoint};
use super::personal_frames;
use super::revocations::{self, Revocation};

/// Time that JetStream may be behind the read tables before the log is read instead.
const JETSTREAM_DELAY_LIMIT: Duration = Duration::from_millis(300);
/// Reads of the log in a row after which a silent consumer is restarted.
const LOG_READS_BEFORE_RESTART: u32 = 5;
const LOG_PAGE: i64 = 200;
const RETRY_AFTER: Duration = Duration::from_millis(250);
const CLEANUP_INTERVAL: Duration = Duration::from_secs(30);
/// Interval of checks whether JetStream is connected.
const CONNECTION_CHECK_INTERVAL: Duration = Duration::from_millis(100);
/// Interval of checks whether the log still contains the last published event.
const LOG_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Time without JetStream after which streams are `degraded`. A reconnect is shorter.
const DEGRADED_AFTER: Duration = Duration::from_secs(1);
/// Capacity of the queue of messages, of one batch, and of the messages that wait for the checkpoint.
const MESSAGE_CAPACITY: usize = 256;

/// State of the feeder.
pub struct Feeder {
    hub: Arc<Hub>,
    projected: watch::Receiver<i64>,
    log: watch::Receiver<LogIdentity>,
    consumer: Option<StreamConsumer>,
    /// Cancelled when all streams have ended.
    drained: CancellationToken,
    /// Key of the messages that the projector publishes.
    key: Option<PublicationKey>,
    published: LogPosition,
    /// Messages after the checkpoint, as far as this process knows it.
    waiting: VecDeque<StreamMessage>,
    /// Time since which the hub has been behind the checkpoint.
    behind_since: Option<Instant>,
    /// JetStream lacks the next event: waiting for it is useless.
    gap_in_stream: bool,
    log_reads: u32,
}

/// Position in the log, with the command of the event there: a log that has another command at this position is not the
/// same log.
#[derive(Clone, Copy, Default)]
struct LogPosition {
    position: i64,
    command_id: Option<Uuid>,
}

impl Feeder {
    pub fn new(
        hub: Arc<Hub>,
        projected: watch::Receiver<i64>,
        log: watch::Receiver<LogIdentity>,
        nats: Option<async_nats::Client>,
        stream: String,
        drained: CancellationToken,
    ) -> Self {
        let consumer = nats.map(|client| StreamConsumer::new(client, stream));
        Self {
            hub,
            projected,
            log,
            consumer,
            drained,
            key: None,
            published: LogPosition::default(),
            waiting: VecDeque::new(),
            behind_since: None,
            gap_in_stream: false,
            log_reads: 0,
        }
    }

    /// Feeds the hub until all streams have ended.
    pub async fn run(mut self) {
        let drained = self.drained.clone();
        drained.run_until_cancelled(self.feed()).await;
    }

    async fn feed(&mut self) {
        self.published = self.checkpoint().await;
        self.hub.publish(Vec::new(), self.published.position);
        self.key = Some(self.publication_key().await);
        let (sender, mut messages) = mpsc::channel(MESSAGE_CAPACITY);
        let consuming = match self.consumer.clone() {
            Some(consumer) => futures::future::Either::Left(consumer.run(self.hub.clone(), sender)),
            None => futures::future::Either::Right(std::future::pending()),
        };
        tokio::join!(consuming, self.feed_from(&mut messages));
    }

    /// Reads where to start: events up to the checkpoint are not published, and subscribers read them from the log.
    async fn checkpoint(&self) -> LogPosition {
        loop {
            match within(REQUEST, self.read_checkpoint()).await {
                Ok(position) => return position,
                Err(error) => tracing::warn!(%error, "the live feed cannot read its start position, retrying"),
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    async fn publication_key(&self) -> PublicationKey {
        loop {
            match within(REQUEST, taskfold_event_log::publication_key(self.hub.pool())).await {
                Ok(key) => return key,
                Err(error) => tracing::warn!(%error, "the live feed cannot read the key of messages, retrying"),
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    async fn read_checkpoint(&self) -> sqlx::Result<LogPosition> {
        sqlx::query_as!(
            LogPosition,
            r#"
            SELECT c.position AS "position!", e.command_id AS "command_id?"
            FROM projection_checkpoint c LEFT JOIN events e ON e.position = c.position
            "#,
        )
        .fetch_one(self.hub.pool())
        .await
    }

    async fn feed_from(&mut self, messages: &mut mpsc::Receiver<StreamMessage>) {
        let mut cleanup = tokio::time::interval(CLEANUP_INTERVAL);
        let [mut connection_check, mut log_check] =
            [CONNECTION_CHECK_INTERVAL, LOG_CHECK_INTERVAL].map(tokio::time::interval);
        connection_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        log_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut connected_at = Instant::now();
        let mut batch = Vec::with_capacity(MESSAGE_CAPACITY);
        loop {
            let read_log_at = self.read_log_at();
            tokio::select! {
                received = messages.recv_many(&mut batch, MESSAGE_CAPACITY), if self.consumer.is_some() => {
                    if received == 0 {
                        return;
                    }
                    self.hold(&mut batch);
                    self.publish_waiting().await;
                }
                changed = self.projected.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.publish_waiting().await;
                }
                () = tokio::time::sleep_until(read_log_at.unwrap_or_else(Instant::now)), if read_log_at.is_some() => {
                    self.publish_from_log().await;
                }
                _ = cleanup.tick() => self.hub.remove_idle(),
                _ = log_check.tick() => {
                    self.check_log().await;
                    if self.behind_since.is_none() {
                        Worker::LiveFeed.succeeded();
                    }
                }
                Ok(()) = self.log.changed() => self.check_log().await,
                _ = connection_check.tick(), if self.consumer.is_some() => {
                    if self.consumer.as_ref().is_some_and(StreamConsumer::is_open) {
                        connected_at = Instant::now();
                    }
                    self.hub.set_degraded(connected_at.elapsed() > DEGRADED_AFTER);
                }
            }
        }
    }

    /// Time at which to read the log; `None` while the hub is at the checkpoint.
    fn read_log_at(&mut self) -> Option<Instant> {
        if *self.projected.borrow_and_update() <= self.published.position {
            self.behind_since = None;
            self.gap_in_stream = false;
            return None;
        }
        let since = *self.behind_since.get_or_insert_with(Instant::now);
        let delivers = !self.gap_in_stream && self.consumer.as_ref().is_some_and(StreamConsumer::is_open);
        let delay = if delivers { JETSTREAM_DELAY_LIMIT } else { Duration::ZERO };
        Some(since + delay)
    }

    /// Checks that the log still contains the last published event, and otherwise restarts all streams: the log was
    /// restored to an earlier state, and clients were sent events that it lacks.
    async fn check_log(&mut self) {
        let LogPosition { position, command_id: Some(command_id) } = self.published else { return };
        let exists = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM events WHERE position = $1 AND command_id = $2) AS "exists!""#,
            position,
            command_id,
        );
        match within(REQUEST, exists.fetch_one(self.hub.pool())).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::error!(position, "the log lacks a published event: all streams are reset");
                self.published = self.checkpoint().await;
                self.waiting.clear();
                self.hub.restart(self.published.position);
                if let Some(consumer) = &self.consumer {
                    consumer.restart();
                }
            }
            Err(error) => tracing::debug!(%error, "the log could not be checked for the last published event"),
        }
    }

    /// Holds messages until the checkpoint reaches them. Messages over the capacity are read from the log instead.
    fn hold(&mut self, batch: &mut Vec<StreamMessage>) {
        let capacity = MESSAGE_CAPACITY.saturating_sub(self.waiting.len());
        self.gap_in_stream |= batch.len() > capacity;
        self.waiting.extend(batch.drain(..).take(capacity));
        self.log_reads = 0;
    }

    async fn publish_waiting(&mut self) {
        let projected = *self.projected.borrow();
        let log_id = self.log.borrow().id;
        let (mut frames, before) = (Vec::new(), self.published.position);
        while let Some(message) = self.waiting.pop_front_if(|message| message.position <= projected) {
            if message.position <= self.published.position {
                continue;
            }
            let next = self.published.position + 1;
            // The stream may have messages of the log before an adoption, of the release before, which signed nothing, and
            // of anybody else who may write to it.
            let is_signed =
                self.key.as_ref().zip(message.signature.as_ref()).is_some_and(|(key, signature)| {
                    key.has_signed(log_id, message.position, &message.payload, signature)
                });
            let is_expected = message.position == next && message.log == Some(log_id) && is_signed;
            let json = std::str::from_utf8(&message.payload).ok().filter(|_| is_expected);
            match json.and_then(|json| Frame::from_json(json, next, self.hub.epoch())) {
                Some((frame, command_id)) => {
                    self.published = LogPosition { position: next, command_id: Some(command_id) };
                    frames.push(frame);
                }
                None => {
                    tracing::warn!(
                        expected = next,
                        position = message.position,
                        "a JetStream message is not the next event of the publisher, reading the log"
                    );
                    self.gap_in_stream = true;
                    self.waiting.clear();
                }
            }
        }
        if self.published.position > before {
            // JetStream delivers: the time limit for what is still missing starts again.
            self.behind_since = None;
            self.publish(frames, before, "jetstream").await;
        }
    }

    async fn publish_from_log(&mut self) {
        let last = (*self.projected.borrow()).min(self.published.position + LOG_PAGE);
        let page = taskfold_event_log::page_between(self.hub.pool(), self.published.position + 1, last);
        let events = match within(REQUEST, page).await {
            Ok(events) => events,
            Err(error) => {
                tracing::warn!(%error, "the live feed could not read the log, retrying");
                tokio::time::sleep(RETRY_AFTER).await;
                return;
            }
        };
        let (mut frames, before) = (Vec::with_capacity(events.len()), self.published.position);
        for event in &events {
            if event.position != self.published.position + 1 {
                break;
            }
            self.published = LogPosition { position: event.position, command_id: Some(event.command_id) };
            frames.push(Frame::from_log(event, self.hub.epoch()));
        }
        if self.published.position < last {
            tracing::error!(position = self.published.position + 1, "the log lacks a position");
            tokio::time::sleep(RETRY_AFTER).await;
        }
        if let Some(consumer) = self.consumer.as_ref().filter(|consumer| consumer.is_open()) {
            self.log_reads += 1;
            if self.log_reads >= LOG_READS_BEFORE_RESTART {
                self.log_reads = 0;
                consumer.restart();
            }
        }
        self.publish(frames, before, "postgresql").await;
    }

    /// Publishes event frames, with their personal frames and their revocations.
    async fn publish(&self, mut frames: Vec<Frame>, before: i64, source: &'static str) {
        metrics::hub_frames(source).increment(frames.len() as u64);
        for each in ["jetstream", "postgresql"] {
            metrics::hub_source(each).set(if each == source { 1.0 } else { 0.0 });
        }
        let upto = self.published.position;
        let ends_access = frames.iter().filter(|frame| frame.kind == FrameKind::EndsAccess);
        let revocations = self.revocations(&ends_access.map(|frame| frame.at.position()).collect::<Vec<_>>()).await;
        let has_personal = self.hub.has_personal_interest();
        if has_personal {
            let personal = personal_frames::of_events(self.hub.pool(), self.hub.epoch(), &frames, (before, upto));
            match within(REQUEST, personal).await {
                Ok(mut personal) => frames.append(&mut personal),
                Err(error) => {
                    tracing::debug!(%error, "personal frames could not be read, subscribers read them themselves");
                    self.hub.force_catch_up(upto);
                }
            }
        } else {
            self.hub.omit_personal_frames(upto);
        }
        frames.extend(revocations.iter().map(Frame::of_revocation));
        // Each ring must be in order.
        frames.sort_by_key(Frame::order);
        self.hub.publish(frames, upto);
        Worker::LiveFeed.succeeded();
        // A stream that registered its interest meanwhile, and is before these events, reads its personal frames.
        if !has_personal && self.hub.has_personal_interest() {
            self.hub.force_catch_up(upto);
        }
    }

    /// Reads the revocations by the events at these positions. Nothing is published until they are known: nobody may
    /// see events after their own removal.
    async fn revocations(&self, positions: &[i64]) -> Vec<Revocation> {
        if positions.is_empty() {
            return Vec::new();
        }
        loop {
            let pool = self.hub.pool();
            let reading = require_checkpoint(pool, RequiredTables::Intervals, self.published.position)
                .and_then(|()| revocations::at(pool, positions));
            match within(REQUEST, reading).await {
                Ok(revocations) => return revocations,
                Err(error) => tracing::warn!(%error, "the live feed cannot read revocations, retrying"),
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }
}
