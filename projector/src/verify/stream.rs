//! Verification of the stream against the log.

use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::Stream;
use futures::StreamExt;
use sqlx::PgPool;
use taskfold_domain::change::TRUNCATED_HEADER;
use taskfold_event_log::{LogIdentity, LoggedEvent};

use super::Report;
use crate::stream::{self, Label};
use crate::{ProjectorError, message};

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
    let prefix = stream::prefix(name);
    let mut position = 0;
    while position < report.published {
        let page_end = report.published.min(position + PAGE);
        let events = taskfold_event_log::page_between(pool, position + 1, page_end).await?;
        let mut compared =
            futures::stream::iter(&events).map(|event| compare(&found, (&prefix, &log), event)).buffered(AT_ONCE);
        while let Some(fault) = compared.next().await {
            fault?.into_iter().for_each(|fault| report.fault(format!("stream: sequence {fault}")));
        }
        position = page_end;
    }
    Ok(())
}

async fn compare(
    found: &Stream,
    (prefix, log): (&str, &LogIdentity),
    event: &LoggedEvent,
) -> Result<Vec<String>, ProjectorError> {
    let position = event.position;
    let Some(message) = stream::message(found, position).await? else {
        return Ok(vec![format!("{position} is missing")]);
    };
    let mut faults = Vec::new();
    let (headers, payload) = match is_truncated(&message) {
        true => message::truncated(event, log),
        false => message::encode(event, log, usize::MAX),
    };
    if message.payload != payload {
        faults.push(format!("{position} is not the Change of its position"));
    }
    let subject = event.nats_subject(prefix);
    if message.subject.as_str() != subject {
        faults.push(format!("{position} has the subject {}", message.subject));
    }
    for (name, values) in headers.iter() {
        let given = message.headers.get(name.to_string().as_str());
        // It has no label: the previous release did not write one.
        let of_before = given.is_none() && name.to_string() == taskfold_event_log::LOG_HEADER;
        if given != values.first() && !of_before {
            faults.push(format!("{position} has another header {name}"));
        }
    }
    Ok(faults)
}

fn is_truncated(message: &StreamMessage) -> bool {
    message.headers.get(TRUNCATED_HEADER).is_some()
}
