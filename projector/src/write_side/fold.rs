//! Fold of the log into the rows that the append keeps, with a check that each event follows from those before it.

use serde::Deserialize;
use sqlx::PgConnection;
use taskfold_domain::aggregates::State;
use taskfold_domain::ids::TaskId;
use taskfold_domain::task::side_tables::{LinkKind, Placement};
use taskfold_domain::{SubjectKind, Task, Timestamp};
use taskfold_event_log::{EventRow, LoggedEvent, StoredTime};
use uuid::Uuid;

use crate::ProjectorError;

/// Events read at once.
const PAGE: i64 = 1000;
/// Tasks passed on at once.
const TASKS: usize = 500;

/// Rows that the append keeps of one task.
#[derive(Clone, Debug)]
pub struct Folded {
    pub task: Uuid,
    pub project: Uuid,
    pub placement: Placement,
    pub links: Vec<(LinkKind, TaskId)>,
    pub due: Due,
}

/// Time of the task's next reminder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    Never,
    At(Timestamp),
    /// At this time, or never: an import by an earlier release, which recorded nothing of it, does not remind of what
    /// was over by then.
    Perhaps(Timestamp),
}

/// An event that does not follow from those before it.
#[derive(Clone, Copy, Debug)]
pub struct Break {
    pub position: i64,
    pub field: &'static str,
}

/// An event, and what the append wrote with it.
struct Row {
    event: LoggedEvent,
    metadata: String,
}

/// Metadata of the first event of a command.
#[derive(Default, Deserialize)]
struct Recorded {
    fingerprint: Option<String>,
    due: Option<String>,
}

/// Recipient of folded tasks and of breaks.
pub trait Sink: Send {
    /// Takes some tasks at a time.
    fn tasks(
        &mut self,
        db: &mut PgConnection,
        folded: Vec<Folded>,
    ) -> impl Future<Output = Result<(), ProjectorError>> + Send;
    fn breaks(&mut self, at: Break);
}

/// Folds all aggregates one after the other, in the order of the log's primary key, or only the given tasks. An
/// aggregate with an event that cannot be read is left out.
pub async fn fold(db: &mut PgConnection, only: Option<&[Uuid]>, sink: &mut impl Sink) -> Result<(), ProjectorError> {
    let mut done = Vec::new();
    match only {
        Some(tasks) => {
            for task in tasks {
                let id = task.to_string();
                fold_range(db, SubjectKind::Task, (&id, &id), &mut done, sink).await?;
            }
        }
        None => {
            for kind in SubjectKind::ALL {
                if let Some(last) = last_id(db, *kind).await? {
                    fold_range(db, *kind, ("", &last), &mut done, sink).await?;
                }
            }
        }
    }
    if done.is_empty() { Ok(()) } else { sink.tasks(db, done).await }
}

/// Folds the aggregates of a kind with ids from `first` to `last`, both included. Tasks go to `sink`, or to `done` if
/// they are few.
async fn fold_range(
    db: &mut PgConnection,
    kind: SubjectKind,
    (first, last): (&str, &str),
    done: &mut Vec<Folded>,
    sink: &mut impl Sink,
) -> Result<(), ProjectorError> {
    let (mut id, mut version) = (first.to_owned(), 0);
    let mut folding = Folding::new(kind);
    loop {
        let page = page(db, kind, (&id, version), last).await?;
        let Some(end) = page.last() else { break };
        let next = (end.event.aggregate_id.clone(), end.event.sequence);
        for row in page {
            if row.event.aggregate_id != id {
                id.clone_from(&row.event.aggregate_id);
                done.extend(std::mem::replace(&mut folding, Folding::new(kind)).ended());
            }
            if let Some(field) = folding.add(&row) {
                sink.breaks(Break { position: row.event.position, field });
            }
        }
        (id, version) = next;
        if done.len() >= TASKS {
            sink.tasks(db, std::mem::take(done)).await?;
        }
    }
    done.extend(folding.ended());
    if done.len() >= TASKS {
        sink.tasks(db, std::mem::take(done)).await?;
    }
    Ok(())
}

/// The last id of an aggregate of this kind.
async fn last_id(db: &mut PgConnection, kind: SubjectKind) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("SELECT max(aggregate_id) FROM events WHERE aggregate_type = $1", kind.as_str())
        .fetch_one(db)
        .await
}

/// Reads the events after this one, in the order of the primary key, of aggregates with ids up to `last`.
async fn page(
    db: &mut PgConnection,
    kind: SubjectKind,
    (id, version): (&str, i64),
    last: &str,
) -> sqlx::Result<Vec<Row>> {
    sqlx::query!(
        r#"
        SELECT position, aggregate_type, aggregate_id, sequence, event_type, event_version, payload::text AS "payload!",
               words AS "words: Vec<Option<String>>", project_id, actor_id, command_id,
               occurred_at AS "occurred_at: StoredTime", recorded_at AS "recorded_at: StoredTime", traceparent,
               metadata::text AS "metadata!"
        FROM events
        WHERE aggregate_type = $1 AND (aggregate_id, sequence) > ($2, $3) AND aggregate_id <= $4
        ORDER BY aggregate_type, aggregate_id, sequence LIMIT $5
        "#,
        kind.as_str(),
        id,
        version,
        last,
        PAGE,
    )
    .map(|row| Row {
        event: LoggedEvent::from(EventRow {
            position: row.position,
            aggregate_type: row.aggregate_type,
            aggregate_id: row.aggregate_id,
            sequence: row.sequence,
            event_type: row.event_type,
            event_version: row.event_version,
            payload: row.payload,
            words: row.words,
            project_id: row.project_id,
            actor_id: row.actor_id,
            command_id: row.command_id,
            occurred_at: row.occurred_at,
            recorded_at: row.recorded_at,
            traceparent: row.traceparent,
        }),
        metadata: row.metadata,
    })
    .fetch_all(db)
    .await
}

/// One aggregate, as far as its events have been applied.
struct Folding {
    state: State,
    /// Reminder, if it is a task.
    reminder: Reminder,
    /// An event could not be read, so that nothing can be said of the aggregate.
    broken: bool,
}

/// Reminder of a task as the append recorded it.
#[derive(Default)]
struct Reminder {
    task: Uuid,
    due: Option<Due>,
    /// The command whose events are being applied, and when it was recorded.
    command: Option<(Uuid, Uuid)>,
    recorded_at: Option<Timestamp>,
    /// Next reminder before the command, if an earlier release appended it.
    before: Option<Option<Timestamp>>,
}

impl Folding {
    fn new(kind: SubjectKind) -> Self {
        Self { state: State::new(kind), reminder: Reminder::default(), broken: false }
    }

    /// Applies an event. Returns the field in which it does not follow from those before it.
    fn add(&mut self, row: &Row) -> Option<&'static str> {
        if self.broken {
            return None;
        }
        if let State::Task(task) = &self.state {
            self.reminder.begin(row, task);
        }
        // What cannot be read or applied is reported where the read tables are compared.
        let contradicted = row.event.event().ok().and_then(|event| self.state.apply(&event).ok());
        self.broken = contradicted.is_none();
        contradicted.flatten()
    }

    fn ended(self) -> Option<Folded> {
        match self.state {
            State::Task(task) if !self.broken => self.reminder.ended(&task),
            State::Task(_) | State::Project(_) | State::Team(_) => None,
        }
    }
}

impl Reminder {
    fn begin(&mut self, row: &Row, task: &Task) {
        let command = (row.event.actor_id, row.event.command_id);
        if self.command == Some(command) {
            return;
        }
        self.end_command(task);
        self.command = Some(command);
        self.recorded_at = Some(row.event.recorded_at.into());
        self.task = row.event.aggregate_id.parse().unwrap_or_default();
        let recorded: Recorded = serde_json::from_str(&row.metadata).unwrap_or_default();
        match (recorded.fingerprint, recorded.due) {
            (None, _) => self.before = Some(task.reminder_at()),
            (Some(_), None) => {}
            (Some(_), Some(due)) => {
                self.due = Some(due.parse().map_or(Due::Never, |micros| Due::At(Timestamp::from_micros(micros))));
            }
        }
    }

    /// Applies the rule of the release before, which recorded nothing.
    fn end_command(&mut self, task: &Task) {
        let Some(before) = self.before.take() else { return };
        let now = task.reminder_at();
        if now != before {
            self.due = Some(match now {
                None => Due::Never,
                Some(at) if Some(at) > self.recorded_at => Due::At(at),
                Some(at) => Due::Perhaps(at),
            });
        }
    }

    fn ended(mut self, task: &Task) -> Option<Folded> {
        self.end_command(task);
        let project = task.fields()?.project_id.0;
        let due = self.due.unwrap_or(Due::Never);
        Some(Folded { task: self.task, project, placement: task.placement()?, links: task.links(), due })
    }
}
