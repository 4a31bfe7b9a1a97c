//! Verification of the stream against the log.

use async_nats::jetstream::stream::Stream;
use futures::StreamExt;
use sqlx::PgPool;
use taskfold_event_log::LoggedEvent;

use super::Report;
use crate::ProjectorError;
use crate::message::Publication;
use crate::stream::{self, Label};

/// Repair of a stream with messages that are not the log's events.
const REPAIR: &str =
    "run `taskfold adopt` if the log was restored to an earlier state, else delete the stream: it is published again";
/// Messages compared at once.
const PAGE: i64 = 500;
const AT_ONCE: usize = 64;

/// Compares the whole stream with the log: sequence = position, and subject, headers and payload are those of the
/// event. Messages published meanwhile are compared too: one beyond the end of the log is one that nobody appended.
pub async fn check(
    pool: &PgPool,
    nats: &async_nats::Client,
    name: &str,
    report: &mut Report,
) -> Result<(), ProjectorError> {
    let log = taskfold_event_log::identity(pool).await?;
    let Some(found) = stream::find(&stream::context(nats), name).await? else {
        // The stream is created with the first Change: nothing to publish, nothing missing.
        if report.projected > 0 {
            report.fault(format!("stream: {name} does not exist"));
        }
        return Ok(());
    };
    match stream::label(&found, &log) {
        Label::Ours => {}
        Label::Another => report.fault(format!("stream: {name} belongs to another log")),
        Label::Missing => report.fault(format!("stream: {name} has no label with the id of its log")),
    }
    let last = stream::last_sequence(&found).await?;
    // Read afterwards: nothing is published before it is in the log.
    let head = taskfold_event_log::head(pool).await?;
    report.published = last.min(head);
    if last > head {
        report.fault(format!("stream: sequences {} to {last} are beyond the end of the log", head + 1));
    }
    let key = taskfold_event_log::publication_key(pool).await?;
    let publication = Publication { log, key, prefix: stream::prefix(name) };
    let (mut position, faults) = (0, report.count());
    while position < report.published {
        let page_end = report.published.min(position + PAGE);
        let events = taskfold_event_log::page_between(pool, position + 1, page_end).await?;
        let mut compared =
            futures::stream::iter(&events).map(|event| compare(&found, &publication, event)).buffered(AT_ONCE);
        while let Some(fault) = compared.next().await {
            fault?.into_iter().for_each(|fault| report.fault(format!("stream: sequence {fault}")));
        }
        position = page_end;
    }
    if last > head || report.count() > faults {
        report.fault(format!("stream: {REPAIR}"));
    }
    Ok(())
}

async fn compare(
    found: &Stream,
    publication: &Publication,
    event: &LoggedEvent,
) -> Result<Vec<String>, ProjectorError> {
    Ok(match stream::message(found, event.position).await? {
        Some(message) => publication.differences(event, &message),
        None => vec![format!("{} is missing", event.position)],
    })
}
