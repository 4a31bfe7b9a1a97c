//! Publication of projected events on the stream, fenced by its sequence.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishAckFuture;
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::Stream;
use futures::stream::FuturesOrdered;
use sqlx::PgPool;
use taskfold_event_log::deadline::{BATCH, REQUEST, within};
use taskfold_event_log::{LogIdentity, LoggedEvent, Worker, metrics};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::backoff::wait;
use crate::stream::Label;
use tracing::Instrument as _;

use crate::message::{self, Publication};
use crate::{Deps, ProjectorError, stream};

/// Events read at once, and publishes in flight at once.
const PAGE: i64 = 512;
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Time for which JetStream refuses or is silent before the connection to it is replaced.
const STUCK: Duration = Duration::from_secs(10);

/// Result of the last step of the projection.
#[derive(Clone, Default)]
pub struct Projected {
    /// In order, up to `position`.
    pub events: Arc<[LoggedEvent]>,
    /// Checkpoint of the read tables after them.
    pub position: i64,
}

impl Projected {
    /// Events behind `last`, when all of them are present, so that they need not be read again.
    fn behind(&self, last: i64) -> Option<&[LoggedEvent]> {
        let first = self.events.iter().position(|event| event.position == last + 1)?;
        self.events.get(first..)
    }
}

/// Publishes projected events, from the end of the stream on. Each message is fenced by the sequence before it, so that
/// a projector which lost its lease without noticing is refused.
pub async fn run(deps: &Deps, mut projected: watch::Receiver<Projected>, working: &CancellationToken) {
    let mut worked = Instant::now();
    let mut reconnected = worked;
    while !working.is_cancelled() {
        if let Err(error) = publish_on(deps, &mut projected, working, &mut worked).await {
            tracing::warn!(%error, "not publishing, trying again");
            let connected = deps.nats.connection_state() == async_nats::connection::State::Connected;
            if connected && matches!(error, ProjectorError::Stream(_)) && worked.max(reconnected).elapsed() > STUCK {
                // The connection answers pings and nothing else, or is to a server that lost its JetStream.
                tracing::warn!("connecting to NATS anew");
                let anew = tokio::time::timeout(REQUEST, deps.nats.force_reconnect()).await;
                if !matches!(anew, Ok(Ok(()))) {
                    tracing::debug!("the connection to NATS is made anew already");
                }
                if reconnected > worked {
                    // The connection was replaced before, and that did not help.
                    deps.stuck.notify_one();
                }
                reconnected = Instant::now();
            }
            wait(working).await;
        }
    }
}

async fn publish_on(
    deps: &Deps,
    projected: &mut watch::Receiver<Projected>,
    working: &CancellationToken,
    worked: &mut Instant,
) -> Result<(), ProjectorError> {
    let mut publisher = Publisher::start(deps).await?;
    tracing::info!(position = publisher.last, "publishing behind the stream's last message");
    // Events projected earlier may be of a log that has been restored since.
    projected.mark_unchanged();
    let (mut ask, mut latest) = (true, Projected::default());
    while !working.is_cancelled() {
        if let Some(events) = latest.behind(publisher.last) {
            publisher.page(events).await?;
            *worked = Instant::now();
            Worker::Publisher.succeeded();
            continue;
        }
        // The checkpoint is read now and then in any case: notifications are for speed.
        let upto = if ask || latest.position > publisher.last {
            publisher.check_stream(deps).await?;
            within(REQUEST, taskfold_event_log::projected_position(&deps.pool)).await?
        } else {
            publisher.last
        };
        while publisher.last < upto && !working.is_cancelled() {
            publisher.next_page(deps, upto).await?;
        }
        *worked = Instant::now();
        Worker::Publisher.succeeded();
        ask = tokio::select! {
            () = working.cancelled() => return Ok(()),
            changed = projected.changed() => match changed {
                Ok(()) => {
                    latest = projected.borrow_and_update().clone();
                    false
                }
                Err(_) => return Ok(()),
            },
            () = tokio::time::sleep(ASK_EVERY) => true,
        };
    }
    Ok(())
}

/// Publishes what is projected and not yet on the stream.
pub async fn catch_up(deps: &Deps) -> Result<(), ProjectorError> {
    let mut publisher = Publisher::start(deps).await?;
    let upto = taskfold_event_log::projected_position(&deps.pool).await?;
    while publisher.last < upto {
        publisher.next_page(deps, upto).await?;
    }
    Ok(())
}

/// Publisher at the end of a stream that is of this log and agrees with it.
struct Publisher {
    publication: Publication,
    stream: Stream,
    context: Context,
    /// Position of the last message.
    last: i64,
}

impl Publisher {
    async fn start(deps: &Deps) -> Result<Self, ProjectorError> {
        let log = within(REQUEST, taskfold_event_log::identity(&deps.pool)).await?;
        let context = stream::context(&deps.nats);
        let key = within(REQUEST, taskfold_event_log::publication_key(&deps.pool)).await?;
        let found = stream::ensure(&context, &deps.stream, &log, &key, deps.stream_replicas).await?;
        let label = stream::label(&found, &log);
        if label == Label::Another {
            return Err(ProjectorError::OtherStream(deps.stream.clone()));
        }
        let publication = Publication { log, key, prefix: stream::prefix(&deps.stream) };
        let last = stream::last_sequence(&found).await?;
        if last > 0 {
            must_be_of_the_log(deps, &publication, (&found, label), last).await?;
        }
        if label == Label::Missing {
            stream::put_label(&context, &found, &publication.log).await?;
        }
        Ok(Self { publication, stream: found, context, last })
    }

    /// Fails when the log was adopted, or when the stream was written to, emptied or deleted by somebody else:
    /// publishing then starts over.
    async fn check_stream(&self, deps: &Deps) -> Result<(), ProjectorError> {
        let log = within(REQUEST, taskfold_event_log::identity(&deps.pool)).await?;
        let last = stream::last_sequence(&self.stream).await?;
        if log != self.publication.log || last != self.last {
            return Err(ProjectorError::Stream(format!("it ends at {last} and not at {} any more", self.last)));
        }
        Ok(())
    }

    async fn next_page(&mut self, deps: &Deps, upto: i64) -> Result<(), ProjectorError> {
        let (first, last) = (self.last + 1, upto.min(self.last + PAGE));
        let page = within(BATCH, taskfold_event_log::page_between(&deps.pool, first, last)).await?;
        if page.is_empty() {
            return Err(ProjectorError::Stream(format!("the log has no events from {first} to {last}")));
        }
        self.page(&page).await
    }

    async fn page(&mut self, events: &[LoggedEvent]) -> Result<(), ProjectorError> {
        let span = tracing::info_span!("publication", after = self.last, events = events.len());
        let publishing = publish_page(&self.context, &self.publication, events, self.last);
        self.last = publishing.instrument(span).await?;
        metrics::published_position().set(self.last as f64);
        Ok(())
    }
}

/// Compares the stream's last message with the log's event at that position.
///
/// A message that was published by this log, and that the log lacks, proves that it lost its last events: nothing may be
/// appended then, or positions would mean two things. Messages without a valid signature prove that only in a
/// stream without signed ones, as the previous release wrote it: otherwise whoever wrote them was no projector, and
/// only publication stops.
async fn must_be_of_the_log(
    deps: &Deps,
    publication: &Publication,
    (stream, label): (&Stream, Label),
    last: i64,
) -> Result<(), ProjectorError> {
    if is_of_the_log(&deps.pool, publication, stream, last).await? {
        return Ok(());
    }
    let foreign = match last_signed(publication, stream, last).await? {
        None => stream::is_signed_throughout(stream, &publication.key).then_some(last),
        Some(signed) if signed < last && is_of_the_log(&deps.pool, publication, stream, signed).await? => {
            Some(signed + 1)
        }
        Some(_) => None,
    };
    if let Some(position) = foreign {
        return Err(ProjectorError::ForeignMessage { stream: deps.stream.clone(), position });
    }
    let reason =
        format!("the stream has an event at {last} that the log lacks: the log was restored to an earlier state");
    tracing::error!(reason, "publishing nothing until the log is adopted");
    if label == Label::Ours {
        let suspending = sqlx::query!("SELECT taskfold_suspend_log($1)", reason).execute(&deps.pool);
        within(REQUEST, suspending).await?;
    }
    Err(ProjectorError::Forked(reason))
}

/// The last message that this log's projector signed. Those of others are behind it: the projector publishes nothing
/// after them.
async fn last_signed(publication: &Publication, stream: &Stream, last: i64) -> Result<Option<i64>, ProjectorError> {
    let is_signed = async |position| {
        let message = stream::message(stream, position).await?;
        Ok::<_, ProjectorError>(message.is_some_and(|message| publication.has_signed(position, &message)))
    };
    // Steps that double find one that is signed, and halves the last one, however many others there are.
    let (mut signed, mut unsigned, mut step) = (last, last + 1, 1);
    while !is_signed(signed).await? {
        if signed <= 1 {
            return Ok(None);
        }
        unsigned = signed;
        signed = (signed - step).max(1);
        step *= 2;
    }
    while unsigned - signed > 1 {
        let middle = signed + (unsigned - signed) / 2;
        if is_signed(middle).await? {
            signed = middle;
        } else {
            unsigned = middle;
        }
    }
    Ok(Some(signed))
}

/// Tells whether the message at a position of the stream is that of the log's event there.
async fn is_of_the_log(
    pool: &PgPool,
    publication: &Publication,
    stream: &Stream,
    position: i64,
) -> Result<bool, ProjectorError> {
    let events = within(REQUEST, taskfold_event_log::page_between(pool, position, position)).await?;
    let message = stream::message(stream, position).await?;
    // A stream that was emptied, or begins later, has nothing to compare. A message that differs from what would be
    // published today is the event's all the same if it was published: its row may have changed since.
    let is_its = |event: &LoggedEvent, message: &StreamMessage| {
        publication.differences(event, message).is_empty()
            || message::is_of(&message.payload, event) && publication.has_signed(position, message)
    };
    Ok(events.first().is_some_and(|event| message.as_ref().is_none_or(|message| is_its(event, message))))
}

/// Compares the last message of the stream with the log, for readiness. The error says what repairs it.
pub async fn check_last_message(
    pool: &PgPool,
    stream: &Stream,
    name: &str,
    log: LogIdentity,
    last: i64,
) -> Result<(), ProjectorError> {
    let key = within(REQUEST, taskfold_event_log::publication_key(pool)).await?;
    let publication = Publication { log, key, prefix: stream::prefix(name) };
    if last == 0 || is_of_the_log(pool, &publication, stream, last).await? {
        return Ok(());
    }
    let position = last_signed(&publication, stream, last).await?.map_or(last, |signed| (signed + 1).min(last));
    Err(ProjectorError::ForeignMessage { stream: name.to_owned(), position })
}

/// Publishes without waiting for each acknowledgement; the first refusal fails all behind it, and the caller resumes
/// from the stream's last message.
async fn publish_page(
    context: &Context,
    publication: &Publication,
    page: &[LoggedEvent],
    mut last: i64,
) -> Result<i64, ProjectorError> {
    let mut acks: FuturesOrdered<<PublishAckFuture as IntoFuture>::IntoFuture> = FuturesOrdered::new();
    for event in page {
        let (headers, payload) = publication.encode(event, context.client().server_info().max_payload);
        let message = PublishMessage::build()
            .payload(payload)
            .headers(headers)
            .expected_last_sequence((event.position - 1) as u64);
        // Sending waits for the connection, which may be one that does not answer.
        let sending =
            tokio::time::timeout(REQUEST, context.send_publish(event.nats_subject(&publication.prefix), message));
        let sent = sending.await.map_err(|_| ProjectorError::Stream("nothing can be sent".to_owned()))?;
        acks.push_back(sent.map_err(|e| ProjectorError::Stream(e.to_string()))?.into_future());
    }
    while let Some(ack) = acks.next().await {
        let ack = ack.map_err(|e| ProjectorError::Stream(e.to_string()))?;
        last = i64::try_from(ack.sequence).unwrap_or(i64::MAX);
        metrics::published_events().increment(1);
    }
    Ok(last)
}
