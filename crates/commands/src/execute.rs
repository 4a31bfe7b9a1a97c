//! Execution of one command: load, decide, append.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::to_raw_value;
use taskfold_domain::Event;
use taskfold_domain::ids::ProjectId;
use taskfold_domain::{Change, Creation, Refusal, Subject, SubjectKind, words};
use taskfold_event_log::deadline::within;
use taskfold_event_log::metrics;
use tracing::Instrument as _;
use uuid::Uuid;

use super::aggregate_cache::{AggregateCache, Versioned};
use super::append::{Append, Check, Effects, ExpectedVersion, NewEvent, Outcome, Recorded};
use super::envelope::{CommandError, Done, Envelope, fingerprint};
use super::{Engine, MAX_ATTEMPTS, OPTIMISTIC_ATTEMPTS, replay};

/// Random bytes per word, so that a commitment to it does not reveal it.
const SALT_BYTES: usize = 16;
/// Deadline of a command. Shorter than that of a request, which could not name the command in its answer.
const ANSWER: Duration = Duration::from_millis(4_500);

/// Events and effects of a command, before they are appended.
pub struct Decision<E> {
    /// `None` for a team.
    pub project: Option<ProjectId>,
    pub events: Vec<E>,
    pub effects: Effects,
}

/// Id of the thing that a command creates inside its aggregate, and whether it creates anything, by its first event.
pub fn created(first: Option<Creation>) -> (Option<Uuid>, bool) {
    match first {
        None | Some(Creation::Nothing) => (None, false),
        Some(Creation::Aggregate) => (None, true),
        Some(Creation::Inside(id)) => (Some(id), true),
    }
}

/// One command, which can be decided on any state of its aggregate.
pub trait CommandHandler: Sync {
    type Aggregate: Versioned;

    fn command(&self) -> &(impl Serialize + Sync);

    /// Returns `true` if the command creates its aggregate, which then most likely does not exist yet.
    fn makes(&self) -> bool;

    /// Id that distinguishes requests: the aggregate, or its parent for a command that creates, whose own id may be new
    /// with every retry.
    fn target(&self) -> Uuid;

    /// The decision; `true` if everything that it read beside `state` was read from the log just now.
    fn decide(
        &self,
        state: &Self::Aggregate,
        fresh: bool,
    ) -> impl Future<Output = (Result<DecisionOf<Self>, CommandError>, bool)> + Send;

    fn wrap(event: EventOf<Self>) -> Event;
}

type EventOf<D> = <<D as CommandHandler>::Aggregate as cqrs_es::Aggregate>::Event;
type DecisionOf<D> = Decision<EventOf<D>>;

/// Decides and appends within a deadline. After it, the outcome is unknown and the error names the command id.
pub async fn run<D: CommandHandler>(
    engine: &Engine,
    aggregates: &AggregateCache<D::Aggregate>,
    kind: SubjectKind,
    id: Uuid,
    envelope: &Envelope,
    deciding: &D,
) -> Result<Done, CommandError> {
    engine.drop_state_of_other_log();
    let span = tracing::debug_span!("command", command_id = %envelope.command_id, kind = kind.as_str(), %id);
    let answering = async {
        let deciding = decide_and_append(engine, aggregates, kind, id, envelope, deciding);
        let mut answer = within(ANSWER, deciding).await;
        if let Err(CommandError::Unavailable(cause)) = answer {
            answer = Err(CommandError::Unanswered { command_id: envelope.command_id, cause });
        }
        report(engine, kind, id, &answer).await;
        answer
    };
    answering.instrument(span).await
}

/// Logs and counts the result of a command, and keeps what it says about the log.
async fn report(engine: &Engine, kind: SubjectKind, id: Uuid, answer: &Result<Done, CommandError>) {
    let error = match answer {
        Ok(done) => {
            tracing::debug!(position = done.position, events = done.events.len(), replayed = done.replayed, "applied");
            return;
        }
        Err(error) => error,
    };
    metrics::command_failures(kind.as_str(), error.kind()).increment(1);
    tracing::debug!(reason = error.kind(), %error, "not applied");
    if matches!(error, CommandError::Forked) {
        engine.suspend().await;
    }
    if matches!(error, CommandError::Incomplete) {
        metrics::append_incomplete().increment(1);
        engine.writes.mark_incomplete(kind.as_str(), id);
        tracing::error!(kind = kind.as_str(), %id, "a table of the append lacks a row: run `taskfold rebuild --write-side`");
    }
}

/// Decides and appends. A decision on cached state that leads to no append (a refusal, no change) is made again on
/// fresh state, because no append will check it.
async fn decide_and_append<D: CommandHandler>(
    engine: &Engine,
    aggregates: &AggregateCache<D::Aggregate>,
    kind: SubjectKind,
    id: Uuid,
    envelope: &Envelope,
    deciding: &D,
) -> Result<Done, CommandError> {
    let _slot_of_aggregate = engine.queues.slot(id).await;
    let fingerprint = fingerprint(deciding.target(), deciding.command());
    let (mut fresh, mut slot) = (false, None);
    for attempt in 0..MAX_ATTEMPTS {
        if attempt >= OPTIMISTIC_ATTEMPTS && slot.is_none() {
            slot = Some(engine.appender.lock().await?);
            fresh = true;
        }
        let loaded = match fresh || !deciding.makes() {
            true => aggregates.load(id, fresh).await?,
            false => aggregates.cached(id).await,
        };
        let (decision, others_fresh) = deciding.decide(&loaded.state, fresh).await;
        let all_fresh = loaded.fresh && others_fresh;
        let decision = match decision {
            Ok(decision) => decision,
            Err(CommandError::Refused(_) | CommandError::Conflict(_)) if !all_fresh => {
                fresh = true;
                continue;
            }
            Err(refused @ (CommandError::Refused(_) | CommandError::Conflict(_))) if envelope.may_be_replayed => {
                // It may be refused because it was done before, by this very command.
                let earlier = replay::lookup(&engine.pool, envelope.actor, envelope.command_id, &fingerprint).await?;
                return earlier.ok_or(refused);
            }
            Err(error) => return Err(error),
        };
        if decision.events.is_empty() && !envelope.may_be_replayed {
            if all_fresh {
                return nothing(engine, kind, id, loaded.state.version(), decision.effects.created_id).await;
            }
            fresh = true;
            continue;
        }
        let payloads = decision
            .events
            .iter()
            .map(|event| {
                use cqrs_es::DomainEvent;
                let (payload, words) = words::collect(|| serde_json::to_string(event));
                let payload = payload.map_err(|e| CommandError::Broken(e.to_string()))?;
                let salts = engine.clock.random_bytes(SALT_BYTES * words.len());
                let (event_type, event_version) = (event.event_type(), event.event_version());
                Ok(NewEvent { event_type, event_version, payload, words, salts })
            })
            .collect::<Result<_, CommandError>>()?;
        let append = Append {
            fingerprint: fingerprint.clone(),
            expected: ExpectedVersion { version: loaded.state.version(), command_id: loaded.command },
            occurred_at: envelope.occurred_at.map(Into::into),
            traceparent: envelope.traceparent.clone(),
            correlation_id: envelope.correlation_id,
            causation_id: envelope.causation_id,
            effects: decision.effects.clone(),
            events: payloads,
            ..Append::new(kind.as_str(), id, decision.project, envelope.actor, envelope.command_id)
        };
        let outcome = match slot.take() {
            Some(slot) => slot.append(append).await,
            None => engine.appender.append(append).await,
        };
        let outcome = match outcome {
            Err(CommandError::OtherLog) if engine.awaits_adopted_log().await => {
                fresh = true;
                continue;
            }
            outcome => outcome?,
        };
        let conflict = match outcome {
            Outcome::Appended(recorded) => {
                let mut state = (*loaded.state).clone();
                for event in &decision.events {
                    cqrs_es::Aggregate::apply(&mut state, event.clone());
                }
                let last = if decision.events.is_empty() { loaded.command } else { Some(envelope.command_id) };
                aggregates.insert(id, state.into(), last).await;
                return done::<D>(Subject { kind, id }, envelope, decision, &recorded);
            }
            Outcome::Duplicate(recorded) => return replay::replayed(&engine.pool, recorded).await,
            Outcome::Reused => return Err(CommandError::KeyReused),
            Outcome::Taken => return Err(Refusal::AlreadyExists.into()),
            Outcome::Cycle => return Err(Refusal::Cycle.into()),
            Outcome::Wip => return Err(Refusal::WipLimitReached.into()),
            Outcome::NotEmpty => return Err(column_not_empty(engine, &decision.effects.checks).await?.into()),
            // Decided again with another jitter.
            Outcome::Rank => "rank",
            Outcome::Conflict => {
                fresh = true;
                "version"
            }
            Outcome::Guard => {
                fresh = true;
                "other_aggregate"
            }
        };
        metrics::command_retries(kind.as_str(), conflict).increment(1);
        tracing::debug!(conflict, attempt, "deciding again");
    }
    Err(CommandError::Contended)
}

/// The refusal of removing a column that holds tasks, with their numbers.
async fn column_not_empty(engine: &Engine, checks: &[Check]) -> sqlx::Result<Refusal> {
    let columns = checks.iter().filter_map(|check| match check {
        Check::NoTasks { column } => Some(column.0),
        Check::WipLimit { .. } | Check::Acyclic { .. } => None,
    });
    let columns: Vec<Uuid> = columns.collect();
    let tasks = sqlx::query!(
        r#"
        SELECT count(*) FILTER (WHERE state = 0) AS "on_board!", count(*) FILTER (WHERE state = 1) AS "archived!"
        FROM task_places WHERE column_id = ANY ($1)
        "#,
        &columns,
    )
    .fetch_one(&engine.pool)
    .await?;
    Ok(Refusal::ColumnNotEmpty { on_board: tasks.on_board.unsigned_abs(), archived: tasks.archived.unsigned_abs() })
}

fn done<D: CommandHandler>(
    subject: Subject,
    envelope: &Envelope,
    decision: DecisionOf<D>,
    recorded: &Recorded,
) -> Result<Done, CommandError> {
    let count = decision.events.len() as u64;
    let first_version = recorded.version as u64 - count + 1;
    let recorded_at = recorded.recorded_at.into();
    let events = decision
        .events
        .into_iter()
        .zip(0_u64..)
        .map(|(event, i)| {
            let change = Change {
                position: recorded.first_position as u64 + i,
                version: first_version + i,
                project_id: decision.project,
                subject,
                actor_id: envelope.actor,
                command_id: envelope.command_id,
                occurred_at: envelope.occurred_at.unwrap_or(recorded_at),
                recorded_at,
                event: D::wrap(event),
            };
            to_raw_value(&change).map_err(|e| CommandError::Broken(e.to_string()))
        })
        .collect::<Result<_, _>>()?;
    Ok(Done {
        id: subject.id,
        created_id: decision.effects.created_id,
        created: decision.effects.created,
        version: recorded.version as u64,
        position: recorded.last_position,
        events,
        replayed: false,
    })
}

/// Result of a command that changed nothing: the current version of its aggregate.
async fn nothing(
    engine: &Engine,
    kind: SubjectKind,
    id: Uuid,
    version: u64,
    created_id: Option<Uuid>,
) -> Result<Done, CommandError> {
    let position = sqlx::query_scalar!(
        "SELECT position FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence = $3",
        kind.as_str(),
        id.to_string(),
        version as i64,
    )
    .fetch_optional(&engine.pool)
    .await?;
    let position = position.unwrap_or_default();
    Ok(Done { id, created_id, created: false, version, position, events: vec![], replayed: false })
}
