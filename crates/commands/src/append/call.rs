//! The database call of the append, whose parameters and outcomes are those of `migrations/append.sql`.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgHasArrayType, PgTypeInfo};
use sqlx::types::Json;
use sqlx::{Encode, PgConnection, Postgres, Type};
use taskfold_domain::task::side_tables::{Link, LinkKind};
use uuid::Uuid;

use super::effects::{Check, ExpectedVersion, Guard};
use super::log_tail::LogState;
use super::metadata::metadata;
use super::{Append, Outcome, Recorded};

/// Names the composite type of the database that a struct is sent as.
macro_rules! composite {
    ($name:ident$(<$lifetime:lifetime>)? as $type_name:literal) => {
        impl Type<Postgres> for $name$(<$lifetime>)? {
            fn type_info() -> PgTypeInfo {
                PgTypeInfo::with_name($type_name)
            }
        }

        impl PgHasArrayType for $name$(<$lifetime>)? {
            fn array_type_info() -> PgTypeInfo {
                // Shared, because each command has arrays of its own.
                static ARRAY: LazyLock<PgTypeInfo> = LazyLock::new(|| PgTypeInfo::array_of($type_name));
                ARRAY.clone()
            }
        }
    };
}

#[derive(Encode, PartialEq, Eq, Hash)]
struct VersionRecord {
    aggregate_type: &'static str,
    aggregate_id: Uuid,
    version: i64,
    command_id: Option<Uuid>,
}
composite!(VersionRecord as "taskfold_version");

#[derive(Encode)]
struct EventRecord<'a> {
    command: i32,
    nth: i32,
    event_type: &'a str,
    event_version: &'a str,
    payload: &'a str,
    metadata: String,
    words: &'a [String],
    salts: &'a [u8],
}
composite!(EventRecord<'_> as "taskfold_event");

#[derive(Encode)]
struct CheckRecord {
    kind: &'static str,
    id: Uuid,
    number: Option<i64>,
}
composite!(CheckRecord as "taskfold_check");

#[derive(Clone, Encode)]
struct PlacementRecord<'a> {
    column_id: Uuid,
    rank: &'a str,
    state: i16,
}
composite!(PlacementRecord<'_> as "taskfold_placement");

#[derive(Encode)]
struct LinkRecord {
    kind: i16,
    target_id: Option<Uuid>,
    removed: bool,
}
composite!(LinkRecord as "taskfold_link");

#[derive(Encode)]
struct CommandRecord<'a> {
    actor_id: Uuid,
    command_id: Uuid,
    fingerprint: &'a [u8],
    aggregate_type: &'static str,
    aggregate_id: Uuid,
    project_id: Option<Uuid>,
    expected_version: i64,
    guards: Vec<VersionRecord>,
    checks: Vec<CheckRecord>,
    event_count: i32,
    events_before: i32,
    is_new: bool,
    is_last: bool,
    created_id: Option<Uuid>,
    created: bool,
    occurred_at: Option<DateTime<Utc>>,
    traceparent: Option<&'a str>,
    placement: Option<PlacementRecord<'a>>,
    link: Option<LinkRecord>,
    sets_reminder: bool,
    reminder_at: Option<DateTime<Utc>>,
}
composite!(CommandRecord<'_> as "taskfold_command");

impl VersionRecord {
    fn new(aggregate_type: &'static str, aggregate_id: Uuid, expected: ExpectedVersion) -> Self {
        Self { aggregate_type, aggregate_id, version: expected.version as i64, command_id: expected.command_id }
    }
}

impl From<&Guard> for VersionRecord {
    fn from(guard: &Guard) -> Self {
        Self::new(guard.aggregate_type, guard.aggregate, guard.expected)
    }
}

impl From<&Check> for CheckRecord {
    fn from(check: &Check) -> Self {
        let (kind, id, number) = match check {
            Check::WipLimit { column, limit } => ("wip_limit", column.0, Some(i64::from(*limit))),
            Check::NoTasks { column } => ("no_tasks", column.0, None),
            Check::Acyclic { kind, target } => ("acyclic", target.0, Some(*kind as i64)),
        };
        Self { kind, id, number }
    }
}

impl From<Link> for LinkRecord {
    fn from(link: Link) -> Self {
        let (kind, target_id, removed) = match link {
            Link::WaitsFor(task) => (LinkKind::WaitsFor, Some(task.0), false),
            Link::NoLongerWaitsFor(task) => (LinkKind::WaitsFor, Some(task.0), true),
            Link::PartOf(task) => (LinkKind::PartOf, task.map(|task| task.0), false),
        };
        Self { kind: kind as i16, target_id, removed }
    }
}

impl<'a> CommandRecord<'a> {
    /// Takes over what an earlier command on the same aggregate leaves, unless this one changes it again.
    fn follow(&mut self, earlier: &Self) {
        self.is_new = earlier.is_new;
        if self.placement.is_none() {
            self.placement.clone_from(&earlier.placement);
        }
        if !self.sets_reminder {
            (self.sets_reminder, self.reminder_at) = (earlier.sets_reminder, earlier.reminder_at);
        }
    }

    fn new(append: &'a Append, events_before: i32) -> Self {
        let effects = &append.effects;
        Self {
            actor_id: append.actor.0,
            command_id: append.command_id,
            fingerprint: &append.fingerprint,
            aggregate_type: append.aggregate_type,
            aggregate_id: append.aggregate,
            project_id: append.project.map(|project| project.0),
            expected_version: append.expected.version as i64,
            guards: effects.guards.iter().map(Into::into).collect(),
            checks: effects.checks.iter().map(Into::into).collect(),
            event_count: append.events.len() as i32,
            events_before,
            is_new: append.expected.version == 0,
            is_last: true,
            created_id: effects.created_id,
            created: effects.created,
            occurred_at: append.occurred_at,
            traceparent: append.traceparent.as_deref(),
            placement: effects.placement.as_ref().map(|place| PlacementRecord {
                column_id: place.column.0,
                rank: place.rank.as_str(),
                state: place.state as i16,
            }),
            link: effects.link.map(Into::into),
            sets_reminder: effects.reminder.is_some(),
            reminder_at: effects.reminder.flatten(),
        }
    }
}

/// Commands with the number of events before each. One that follows another on its aggregate takes over what that one
/// leaves in the append's tables.
fn commands(appends: &[Append]) -> Vec<CommandRecord<'_>> {
    let mut events_before = 0;
    let mut records: Vec<CommandRecord<'_>> = Vec::with_capacity(appends.len());
    let mut last: HashMap<(&'static str, Uuid), usize> = HashMap::with_capacity(appends.len());
    for append in appends {
        let mut record = CommandRecord::new(append, events_before);
        events_before += record.event_count;
        let earlier = last.insert((append.aggregate_type, append.aggregate), records.len());
        if let Some(earlier) = earlier.and_then(|earlier| records.get_mut(earlier)) {
            earlier.is_last = false;
            record.follow(earlier);
        }
        records.push(record);
    }
    records
}

/// Events of all commands, in order.
fn events(appends: &[Append]) -> Vec<EventRecord<'_>> {
    let mut records = Vec::new();
    for (command, append) in (1..).zip(appends) {
        records.extend((1..).zip(&append.events).map(|(nth, event)| EventRecord {
            command,
            nth,
            event_type: &event.event_type,
            event_version: &event.event_version,
            payload: &event.payload,
            metadata: metadata(append, nth == 1),
            words: &event.words,
            salts: &event.salts,
        }));
    }
    records
}

/// Existing aggregates that the commands are on or were decided on, as they were before the call: of several commands
/// on one, the first says that. New ones need no look, because the key of their heads refuses a second one.
fn expected(appends: &[Append]) -> Vec<VersionRecord> {
    let mut own = HashSet::new();
    let own = appends
        .iter()
        .filter(|append| own.insert((append.aggregate_type, append.aggregate)) && append.expected.version > 0)
        .map(|append| VersionRecord::new(append.aggregate_type, append.aggregate, append.expected));
    let guards = appends.iter().flat_map(|append| &append.effects.guards).map(Into::into);
    own.chain(guards).collect::<HashSet<_>>().into_iter().collect()
}

struct Reply {
    start: i64,
    recorded_at: DateTime<Utc>,
    /// `None`: all commands were appended.
    outcomes: Option<Json<Vec<Outcome>>>,
}

impl Reply {
    fn outcomes(self, appends: &[Append]) -> Vec<Outcome> {
        if let Some(Json(outcomes)) = self.outcomes {
            return outcomes;
        }
        let mut position = self.start;
        let appended = |append: &Append| {
            let events = append.events.len() as i64;
            position += events;
            Outcome::Appended(Recorded {
                first_position: position - events + 1,
                last_position: position,
                version: append.expected.version as i64 + events,
                aggregate_id: append.aggregate,
                created_id: append.effects.created_id,
                created: append.effects.created,
                recorded_at: self.recorded_at,
            })
        };
        appends.iter().map(appended).collect()
    }
}

/// Appends the commands of a batch in one call.
pub async fn call(db: &mut PgConnection, appends: &[Append], log: LogState) -> sqlx::Result<Vec<Outcome>> {
    let (seen_position, seen_command) = log.last.unzip();
    let reply = sqlx::query_as!(
        Reply,
        r#"
        SELECT start AS "start!", recorded_at AS "recorded_at!", outcomes AS "outcomes: Json<Vec<Outcome>>"
        FROM taskfold_append_v2(
            commands => $1, events => $2, expected => $3, log_id => $4, seen_position => $5, seen_command => $6)
        "#,
        commands(appends) as _,
        events(appends) as _,
        expected(appends) as _,
        log.id,
        seen_position,
        seen_command,
    )
    .fetch_one(db)
    .await?;
    Ok(reply.outcomes(appends))
}
