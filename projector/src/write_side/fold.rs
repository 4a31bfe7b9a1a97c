use serde::Deserialize;
use sqlx::{FromRow, PgConnection};
use taskfold_domain::change::Event;
use taskfold_domain::ids::TaskId;
use taskfold_domain::task::beside::{LinkKind, Place};
use taskfold_domain::{Project, SubjectKind, Task, Team, Timestamp};
use taskfold_event_log::{LoggedEvent, event_columns};
use uuid::Uuid;

use crate::ProjectorError;

/// Events that are read at once.
const PAGE: i64 = 1000;
/// Tasks that are handed on at once.
const TASKS: usize = 500;

/// Rows that the append keeps of one task.
#[derive(Clone, Debug)]
pub struct Folded {
    pub task: Uuid,
    pub project: Uuid,
    pub place: Place,
    pub links: Vec<(LinkKind, TaskId)>,
    pub due: Due,
}

/// Time of the task's next reminder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    Never,
    At(Timestamp),
    /// Then, or never: an import of an earlier release, which left no word of it, does not remind of what was over by then.
    Perhaps(Timestamp),
}

/// An event that does not follow from those before it.
#[derive(Clone, Copy, Debug)]
pub struct Break {
    pub position: i64,
    pub field: &'static str,
}

/// An event, and what the append wrote with it.
#[derive(FromRow)]
struct Row {
    #[sqlx(flatten)]
    event: LoggedEvent,
    metadata: String,
}

/// Metadata of the first event of a command.
#[derive(Default, Deserialize)]
struct Recorded {
    fingerprint: Option<String>,
    due: Option<String>,
}

/// Takes what comes of folding.
pub trait Sink: Send {
    /// Some tasks at a time.
    fn tasks(
        &mut self,
        db: &mut PgConnection,
        folded: Vec<Folded>,
    ) -> impl Future<Output = Result<(), ProjectorError>> + Send;
    fn breaks(&mut self, at: Break);
}

/// Folds all aggregates, one after the other in the order of the log's primary key, or those tasks that are given. An aggregate with an event
/// that cannot be read is left out.
pub async fn fold(db: &mut PgConnection, only: Option<&[Uuid]>, sink: &mut impl Sink) -> Result<(), ProjectorError> {
    let kinds: &[SubjectKind] = match only {
        None => &[SubjectKind::Project, SubjectKind::Team, SubjectKind::Task],
        Some(_) => &[SubjectKind::Task],
    };
    let only: Option<Vec<String>> = only.map(|tasks| tasks.iter().map(Uuid::to_string).collect());
    let mut done = Vec::new();
    for kind in kinds {
        let (mut id, mut version) = (String::new(), 0);
        let mut folding = Folding::new(*kind);
        loop {
            let page = page(db, *kind, (&id, version), only.as_deref()).await?;
            let Some(last) = page.last() else { break };
            let next = (last.event.aggregate_id.clone(), last.event.sequence);
            for row in page {
                if row.event.aggregate_id != id {
                    id.clone_from(&row.event.aggregate_id);
                    done.extend(std::mem::replace(&mut folding, Folding::new(*kind)).ended());
                    if done.len() >= TASKS {
                        sink.tasks(db, std::mem::take(&mut done)).await?;
                    }
                }
                if let Some(field) = folding.add(&row) {
                    sink.breaks(Break { position: row.event.position, field });
                }
            }
            (id, version) = next;
        }
        done.extend(folding.ended());
    }
    if done.is_empty() { Ok(()) } else { sink.tasks(db, done).await }
}

/// The events behind this one, in the order of the primary key.
async fn page(
    db: &mut PgConnection,
    kind: SubjectKind,
    (id, version): (&str, i64),
    only: Option<&[String]>,
) -> sqlx::Result<Vec<Row>> {
    const BEHIND: &str = concat!(
        "SELECT ",
        event_columns!(),
        ", metadata::text AS metadata FROM events WHERE aggregate_type = $1 AND (aggregate_id, sequence) > ($2, $3)"
    );
    const ORDER: &str = "ORDER BY aggregate_type, aggregate_id, sequence LIMIT $4";
    let sql = match only {
        Some(_) => format!("{BEHIND} AND aggregate_id = ANY ($5) {ORDER}"),
        None => format!("{BEHIND} AND $5::text[] IS NULL {ORDER}"),
    };
    sqlx::query_as(&sql).bind(kind.as_str()).bind(id).bind(version).bind(PAGE).bind(only).fetch_all(db).await
}

/// One aggregate, as far as its events have been added.
struct Folding {
    state: State,
    /// Nothing can be said of it.
    broken: bool,
}

enum State {
    Task(Box<OfTask>),
    Project(Box<Project>),
    Team(Box<Team>),
}

/// A task, and its reminder as the append was told of it.
#[derive(Default)]
struct OfTask {
    id: Uuid,
    task: Task,
    due: Option<Due>,
    /// The command that is being added, and when it was recorded; of one of an earlier release, when the next reminder was to be before it.
    command: Option<(Uuid, Uuid)>,
    recorded_at: Option<Timestamp>,
    before: Option<Option<Timestamp>>,
}

impl Folding {
    fn new(kind: SubjectKind) -> Self {
        let state = match kind {
            SubjectKind::Task => State::Task(Box::default()),
            SubjectKind::Project => State::Project(Box::default()),
            SubjectKind::Team => State::Team(Box::default()),
        };
        Self { state, broken: false }
    }

    /// Answers the field in which the event does not follow from those before it.
    fn add(&mut self, row: &Row) -> Option<&'static str> {
        if self.broken {
            return None;
        }
        match (&mut self.state, row.event.event()) {
            (State::Task(of), Ok(Event::Task(event))) => {
                of.begin(row);
                let contradicted = of.task.contradicts(&event);
                of.task.apply(event);
                contradicted
            }
            (State::Project(project), Ok(Event::Project(event))) => {
                let contradicted = project.contradicts(&event);
                project.apply(event);
                contradicted
            }
            (State::Team(team), Ok(Event::Team(event))) => {
                let contradicted = team.contradicts(&event);
                team.apply(event);
                contradicted
            }
            // It is named where the read tables are compared.
            (_, Err(_) | Ok(_)) => {
                self.broken = true;
                None
            }
        }
    }

    fn ended(self) -> Option<Folded> {
        match self.state {
            State::Task(of) if !self.broken => (*of).ended(),
            State::Task(_) | State::Project(_) | State::Team(_) => None,
        }
    }
}

impl OfTask {
    fn begin(&mut self, row: &Row) {
        let command = (row.event.actor_id, row.event.command_id);
        if self.command == Some(command) {
            return;
        }
        self.end_command();
        self.command = Some(command);
        self.recorded_at = Some(row.event.recorded_at.into());
        self.id = row.event.aggregate_id.parse().unwrap_or_default();
        let recorded: Recorded = serde_json::from_str(&row.metadata).unwrap_or_default();
        match (recorded.fingerprint, recorded.due) {
            (None, _) => self.before = Some(self.task.reminder_at()),
            (Some(_), None) => {}
            (Some(_), Some(due)) => {
                self.due = Some(due.parse().map_or(Due::Never, |micros| Due::At(Timestamp::from_micros(micros))));
            }
        }
    }

    /// The rule of the release before, which recorded nothing.
    fn end_command(&mut self) {
        let Some(before) = self.before.take() else { return };
        let now = self.task.reminder_at();
        if now != before {
            self.due = Some(match now {
                None => Due::Never,
                Some(at) if Some(at) > self.recorded_at => Due::At(at),
                Some(at) => Due::Perhaps(at),
            });
        }
    }

    fn ended(mut self) -> Option<Folded> {
        self.end_command();
        let project = self.task.card()?.project_id.0;
        let due = self.due.unwrap_or(Due::Never);
        Some(Folded { task: self.id, project, place: self.task.place()?, links: self.task.links(), due })
    }
}
