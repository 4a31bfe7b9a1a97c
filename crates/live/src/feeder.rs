use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::TryFutureExt as _;
use taskfold_event_log::deadline::{REQUEST, within};
use taskfold_event_log::{LogIdentity, Worker};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::frame::{Frame, Kind};
use super::hub::Hub;
use super::jetstream::{Announced, Jet};
use super::losses::{self, Loss};
use super::membership::{Tables, must_have};
use super::notices;

/// How long JetStream may be behind what is projected before the log is read instead.
const PATIENCE: Duration = Duration::from_millis(300);
/// How often in a row it may be so before its consumer is made anew.
const SILENCES: u32 = 5;
const PAGE: i64 = 200;
const RETRY_AFTER: Duration = Duration::from_millis(250);
const TIDY_EVERY: Duration = Duration::from_secs(30);
/// How often it is looked whether JetStream is there.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often it is looked whether the log still has what was announced.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// How long JetStream has been away before streams are told; a reconnect is no news.
const AWAY: Duration = Duration::from_secs(1);
/// Messages of JetStream that wait to be taken; also how many are taken at once, and how many are held.
const WAITING: usize = 256;

/// Fills the hub with every event, once and in order: from JetStream while it delivers, else from the log up to the
/// projected position. Whatever is not the very next position is read again from the log. Nothing beyond the projected position is
/// announced, whatever JetStream has.
pub struct Feeder {
    hub: Arc<Hub>,
    projected: watch::Receiver<i64>,
    log: watch::Receiver<LogIdentity>,
    jet: Option<Jet>,
    /// Nobody is left to feed.
    drained: CancellationToken,
    position: i64,
    /// Of the event at `position`: a log without it there is another one.
    command: Option<Uuid>,
    /// Messages of JetStream beyond what is projected, as far as this process has heard.
    held: VecDeque<Announced>,
    /// Since when something is projected that is not in the hub.
    behind_since: Option<Instant>,
    /// JetStream does not have what comes next: no use waiting for it.
    astray: bool,
    silences: u32,
}

/// Where the read tables are, and the command of the event there.
type Place = (i64, Option<Uuid>);

impl Feeder {
    pub fn new(
        hub: Arc<Hub>,
        projected: watch::Receiver<i64>,
        log: watch::Receiver<LogIdentity>,
        nats: Option<async_nats::Client>,
        stream: String,
        drained: CancellationToken,
    ) -> Self {
        let jet = nats.map(|client| Jet::new(client, stream));
        Self {
            hub,
            projected,
            log,
            jet,
            drained,
            position: 0,
            command: None,
            held: VecDeque::new(),
            behind_since: None,
            astray: false,
            silences: 0,
        }
    }

    pub async fn run(mut self) {
        let drained = self.drained.clone();
        drained.run_until_cancelled(self.feed()).await;
    }

    async fn feed(&mut self) {
        (self.position, self.command) = self.first_place().await;
        self.hub.publish(Vec::new(), self.position);
        let (sender, mut announced) = mpsc::channel(WAITING);
        let pulling = match self.jet.clone() {
            Some(jet) => futures::future::Either::Left(jet.pull(self.hub.clone(), sender)),
            None => futures::future::Either::Right(std::future::pending()),
        };
        tokio::join!(pulling, self.take(&mut announced));
    }

    /// What is already projected is not announced again: followers who want it read the log.
    async fn first_place(&self) -> Place {
        loop {
            match within(REQUEST, self.place()).await {
                Ok(place) => return place,
                Err(error) => tracing::warn!(%error, "the live feed waits for the database"),
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    async fn place(&self) -> sqlx::Result<Place> {
        sqlx::query_as(
            "SELECT c.position, e.command_id FROM projection_checkpoint c LEFT JOIN events e ON e.position = c.position",
        )
        .fetch_one(self.hub.pool())
        .await
    }

    async fn take(&mut self, announced: &mut mpsc::Receiver<Announced>) {
        let mut tidying = tokio::time::interval(TIDY_EVERY);
        let [mut looking, mut checking] = [LOOK_EVERY, CHECK_EVERY].map(tokio::time::interval);
        looking.set_missed_tick_behavior(MissedTickBehavior::Delay);
        checking.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut there_at = Instant::now();
        let mut batch = Vec::with_capacity(WAITING);
        loop {
            let read_log_at = self.read_log_at();
            tokio::select! {
                taken = announced.recv_many(&mut batch, WAITING), if self.jet.is_some() => {
                    if taken == 0 {
                        return;
                    }
                    self.hold(&mut batch);
                    self.take_held().await;
                }
                changed = self.projected.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.take_held().await;
                }
                () = tokio::time::sleep_until(read_log_at.unwrap_or_else(Instant::now)), if read_log_at.is_some() => {
                    self.read_log().await;
                }
                _ = tidying.tick() => self.hub.tidy(),
                _ = checking.tick() => {
                    self.check().await;
                    if self.behind_since.is_none() {
                        Worker::LiveFeed.succeeded();
                    }
                }
                Ok(()) = self.log.changed() => self.check().await,
                _ = looking.tick(), if self.jet.is_some() => {
                    if self.jet.as_ref().is_some_and(Jet::is_open) {
                        there_at = Instant::now();
                    }
                    self.hub.set_degraded(there_at.elapsed() > AWAY);
                }
            }
        }
    }

    /// When to read the log; never while there is nothing in it.
    fn read_log_at(&mut self) -> Option<Instant> {
        if *self.projected.borrow_and_update() <= self.position {
            self.behind_since = None;
            self.astray = false;
            return None;
        }
        let since = *self.behind_since.get_or_insert_with(Instant::now);
        let delivers = !self.astray && self.jet.as_ref().is_some_and(Jet::is_open);
        let patience = if delivers { PATIENCE } else { Duration::ZERO };
        Some(since + patience)
    }

    /// Whether the log still has the last event that was announced. It does not when it was restored to an earlier state: what clients have
    /// been sent behind the fork never was, and they start over.
    async fn check(&mut self) {
        let Some(command) = self.command else { return };
        let has = sqlx::query_scalar("SELECT EXISTS (SELECT FROM events WHERE position = $1 AND command_id = $2)");
        match within(REQUEST, has.bind(self.position).bind(command).fetch_one(self.hub.pool())).await {
            Ok(true) => {}
            Ok(false) => {
                tracing::error!(
                    position = self.position,
                    "the log lacks an event that was announced: streams start over"
                );
                (self.position, self.command) = self.first_place().await;
                self.held.clear();
                self.hub.restart(self.position);
                if let Some(jet) = &self.jet {
                    jet.renew();
                }
            }
            Err(error) => tracing::debug!(%error, "whether the log has what was announced could not be read"),
        }
    }

    /// Keeps what is not projected yet. More than so much of it is read from the log.
    fn hold(&mut self, batch: &mut Vec<Announced>) {
        let room = WAITING.saturating_sub(self.held.len());
        self.astray |= batch.len() > room;
        self.held.extend(batch.drain(..).take(room));
        self.silences = 0;
    }

    async fn take_held(&mut self) {
        let projected = *self.projected.borrow();
        let (id, first) = {
            let log = self.log.borrow();
            (log.id, log.epoch() == 0)
        };
        let (mut frames, before) = (Vec::new(), self.position);
        while let Some(message) = self.held.pop_front_if(|message| message.position <= projected) {
            if message.position <= self.position {
                continue;
            }
            let next = self.position + 1;
            let json = std::str::from_utf8(&message.payload).ok();
            match json.and_then(|json| Frame::from_json(json, next, self.hub.epoch())) {
                // What a stream still has of the log before an adoption is none of this one.
                Some((frame, command)) if message.position == next && message.log.map_or(first, |log| log == id) => {
                    (self.position, self.command) = (next, Some(command));
                    frames.push(frame);
                }
                // A gap, no Change, or of another log: the log knows better, at once.
                _ => {
                    tracing::warn!(expected = next, got = message.position, "JetStream is not as the log is");
                    self.astray = true;
                    self.held.clear();
                }
            }
        }
        if self.position > before {
            // It delivers: what is still missing has its time again.
            self.behind_since = None;
            self.publish(frames, before, "jetstream").await;
        }
    }

    async fn read_log(&mut self) {
        let last = (*self.projected.borrow()).min(self.position + PAGE);
        let page = taskfold_event_log::page_between(self.hub.pool(), self.position + 1, last);
        let events = match within(REQUEST, page).await {
            Ok(events) => events,
            Err(error) => {
                tracing::warn!(%error, "the live feed could not read the log, trying again");
                tokio::time::sleep(RETRY_AFTER).await;
                return;
            }
        };
        let (mut frames, before) = (Vec::with_capacity(events.len()), self.position);
        for event in &events {
            if event.position != self.position + 1 {
                break;
            }
            (self.position, self.command) = (event.position, Some(event.command_id));
            match Frame::from_log(event, self.hub.epoch()) {
                Ok(frame) => frames.push(frame),
                // Nobody could read it: waiting would not make it better, and all others wait behind it.
                Err(error) => tracing::error!(%error, "left out of the live feed"),
            }
        }
        if self.position < last {
            tracing::error!(position = self.position + 1, "the log has a hole");
            tokio::time::sleep(RETRY_AFTER).await;
        }
        if let Some(jet) = self.jet.as_ref().filter(|jet| jet.is_open()) {
            self.silences += 1;
            if self.silences >= SILENCES {
                self.silences = 0;
                jet.renew();
            }
        }
        self.publish(frames, before, "postgresql").await;
    }

    /// With what people are told of these events, and with who loses sight of what.
    async fn publish(&self, mut frames: Vec<Frame>, before: i64, source: &'static str) {
        metrics::counter!("taskfold_hub_frames_total", "source" => source).increment(frames.len() as u64);
        for each in ["jetstream", "postgresql"] {
            metrics::gauge!("taskfold_hub_source", "source" => each).set(if each == source { 1.0 } else { 0.0 });
        }
        let ends = frames.iter().filter(|frame| frame.kind == Kind::EndsAccess);
        let losses = self.losses(&ends.map(|frame| frame.at.position()).collect::<Vec<_>>()).await;
        let told = self.hub.somebody_listens();
        if told {
            let range = (before, self.position);
            match within(REQUEST, notices::told(self.hub.pool(), self.hub.epoch(), &frames, range)).await {
                Ok(mut told) => frames.append(&mut told),
                Err(error) => {
                    tracing::debug!(%error, "who is to be told could not be read, they will read it themselves");
                    self.hub.miss(self.position);
                }
            }
        } else {
            self.hub.leave_untold(self.position);
        }
        frames.extend(losses.iter().map(Frame::of_loss));
        // Each ring in its order.
        frames.sort_by_key(Frame::order);
        self.hub.publish(frames, self.position);
        Worker::LiveFeed.succeeded();
        // Whoever began to listen in between, and stands before these events, finds what they are told in the log.
        if !told && self.hub.somebody_listens() {
            self.hub.miss(self.position);
        }
    }

    /// Who loses sight of a project by the events at these positions. Until that is known nothing is published: nobody may see what comes
    /// behind their removal.
    async fn losses(&self, positions: &[i64]) -> Vec<Loss> {
        if positions.is_empty() {
            return Vec::new();
        }
        loop {
            let pool = self.hub.pool();
            let known =
                must_have(pool, Tables::WithIntervals, self.position).and_then(|()| losses::at(pool, positions));
            match within(REQUEST, known).await {
                Ok(losses) => return losses,
                Err(error) => tracing::warn!(%error, "the live feed waits to know who may see what"),
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }
}
