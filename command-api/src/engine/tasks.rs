use serde::Serialize;
use taskfold_domain::change::Event;
use taskfold_domain::ids::{ProjectId, TaskId};
use taskfold_domain::merge::Touches;
use taskfold_domain::project::WipPolicy;
use taskfold_domain::task::{Context, Situation, decide};
use taskfold_domain::{Project, Rank, Refusal, SubjectKind, Task, TaskCommand, TaskEvent};
use taskfold_openapi::clock;
use uuid::Uuid;

use super::append::{PlaceState, Placed};
use super::deciding::{Deciding, Decision, run};
use super::envelope::{CommandError, Done, Envelope, data_of};
use super::precondition::Based;
use super::{Engine, mentions, place};

impl Engine {
    /// Decides a task command and appends what it comes to. Creating needs the envelope's project.
    pub async fn task(&self, id: TaskId, command: TaskCommand, envelope: Envelope) -> Result<Done, CommandError> {
        let deciding =
            TaskDeciding { engine: self, id, fresh_id: clock::new_id(), command: &command, envelope: &envelope };
        // Boxed: the future is large, and every handler would carry it whole.
        Box::pin(run(self, &self.tasks, SubjectKind::Task, id.0, &envelope, &deciding)).await
    }

    /// Refuses what the command would be refused for now, and appends nothing: for a command that is costly to prepare. It is
    /// decided again when it is appended.
    pub async fn would_take(&self, id: TaskId, command: &TaskCommand, envelope: &Envelope) -> Result<(), CommandError> {
        let deciding = TaskDeciding { engine: self, id, fresh_id: Uuid::nil(), command, envelope };
        let task = self.tasks.load(id.0, true).await?.state;
        deciding.decide(&task, true).await.0.map(|_| ())
    }
}

struct TaskDeciding<'a> {
    engine: &'a Engine,
    id: TaskId,
    /// The same at every attempt, so that a decision made again makes the same thing.
    fresh_id: Uuid,
    command: &'a TaskCommand,
    envelope: &'a Envelope,
}

impl Deciding for TaskDeciding<'_> {
    type Aggregate = Task;

    fn command(&self) -> &(impl Serialize + Sync) {
        self.command
    }

    fn target(&self) -> Uuid {
        match (self.command, self.envelope.project_id) {
            (TaskCommand::Create(_), Some(project)) => project.0,
            _ => self.id.0,
        }
    }

    fn wrap(event: TaskEvent) -> Event {
        Event::Task(event)
    }

    async fn decide(&self, task: &Task, fresh: bool) -> (Result<Decision<TaskEvent>, CommandError>, bool) {
        let project_id = match (task.card(), self.command) {
            (Some(card), TaskCommand::Create(_)) if Some(card.project_id) != self.envelope.project_id => {
                return (Err(Refusal::AlreadyExists.into()), true);
            }
            (Some(card), _) => Some(card.project_id),
            (None, _) => self.envelope.project_id,
        };
        let Some(project_id) = project_id else { return (Err(Refusal::NotFound.into()), true) };
        match self.engine.projects.load(project_id.0, fresh).await {
            Err(error) => (Err(error), true),
            Ok(project) => (self.decide_in(task, &project.state).await, project.fresh),
        }
    }
}

impl TaskDeciding<'_> {
    async fn decide_in(&self, task: &Task, project: &Project) -> Result<Decision<TaskEvent>, CommandError> {
        let board = project.board().ok_or(Refusal::NotFound)?;
        let at = self.envelope.occurred_at.filter(|_| self.is_import()).unwrap_or_else(clock::now);
        let jitter: u32 = rand::random();
        let pool = &self.engine.pool;
        // Strangers learn nothing from lookups: the decision refuses them, whatever was found.
        let member = self.is_import() || board.role_of(self.envelope.actor).is_some();
        let place = match (self.command, task.card(), &self.envelope.rank) {
            (_, _, Some(rank)) => Some(rank.clone()).filter(|r| !self.stands_at(task, r)),
            (TaskCommand::Move(to), Some(card), None) if member => {
                place::find(pool, self.id, card, to, at, jitter).await?
            }
            _ => None,
        };
        let mentions = match self.command {
            TaskCommand::Comment(add) if member => mentions::members_named(pool, board, add.text.as_str()).await?,
            TaskCommand::EditComment(edit) if member => {
                mentions::members_named(pool, board, edit.text.as_str()).await?
            }
            _ => vec![],
        };
        let context = Context {
            actor: self.envelope.actor,
            at,
            project,
            place,
            end: Rank::at_end(at, jitter),
            mentions,
            fresh_id: if matches!(self.command, TaskCommand::Create(_)) { self.id.0 } else { self.fresh_id },
            origin: self.envelope.origin,
        };
        let events = decide(task, self.command, &context)?;
        if let TaskCommand::Create(create) = self.command
            && let Some(parent) = create.parent_id.filter(|_| !self.is_import())
        {
            self.must_be_in(parent, board.id).await?;
        }
        let mine: Vec<_> = events.iter().flat_map(Touches::touches).collect();
        let based = Based {
            pool,
            aggregate_type: SubjectKind::Task.as_str(),
            id: self.id.0,
            version: task.version,
            edited_version: task.edited_version,
        };
        based.check(self.envelope.precondition, &mine, || data_of(self.command)).await?;

        let mut after = task.clone();
        for event in &events {
            after.apply(event.clone());
        }
        let (created_id, created) = created(&events);
        Ok(Decision {
            project: board.id,
            place: placed(task, &after, project, self.is_import()),
            guard: (!self.is_import()).then_some(project.version),
            empty_column: None,
            created_id,
            created,
            events,
        })
    }

    /// Whether a move to this rank leaves the task where it is: the same rank in another column is another place.
    fn stands_at(&self, task: &Task, rank: &Rank) -> bool {
        let TaskCommand::Move(to) = self.command else { return false };
        task.card().is_some_and(|card| card.column_id == to.column_id && card.rank == *rank)
    }

    /// A task never changes its project, so this holds at the append too.
    async fn must_be_in(&self, parent: TaskId, project: ProjectId) -> Result<(), CommandError> {
        let parent = self.engine.tasks.load(parent.0, false).await?.state;
        if parent.card().is_some_and(|card| card.project_id == project) {
            Ok(())
        } else {
            Err(Refusal::invalid("/parent_id", "not a task of the project").into())
        }
    }

    fn is_import(&self) -> bool {
        self.envelope.origin == taskfold_domain::task::Origin::Import
    }
}

/// What was made inside the task, or the task itself.
fn created(events: &[TaskEvent]) -> (Option<Uuid>, bool) {
    match events.first() {
        Some(TaskEvent::Created(_)) => (None, true),
        Some(TaskEvent::Commented(e)) => (Some(e.comment.to.id.0), true),
        Some(TaskEvent::AttachmentAdded(e)) => (Some(e.attachment.to.id.0), true),
        Some(TaskEvent::ChecklistAdded(e)) => (Some(e.checklist.to.id.0), true),
        Some(TaskEvent::ChecklistItemAdded(e)) => (Some(e.item.to.item.id.0), true),
        _ => (None, false),
    }
}

/// The task's place after its events, when they change it, with the limit that the column may enforce.
fn placed(before: &Task, after: &Task, project: &Project, import: bool) -> Option<Placed> {
    let place = |task: &Task| {
        let card = task.card()?;
        let state = match task.situation {
            Situation::Deleted { .. } => PlaceState::Deleted,
            _ if card.archived => PlaceState::Archived,
            _ => PlaceState::OnBoard,
        };
        Some((card.column_id, card.rank.clone(), state))
    };
    let (was, now) = (place(before), place(after)?);
    if was.as_ref() == Some(&now) {
        return None;
    }
    let (column, rank, state) = now;
    let enters = state == PlaceState::OnBoard && was.is_none_or(|(c, _, s)| c != column || s != PlaceState::OnBoard);
    let wip_limit = project
        .board()
        .and_then(|board| board.column(column))
        .filter(|c| enters && !import && c.wip_policy == WipPolicy::Enforced)
        .and_then(|c| c.wip_limit);
    Some(Placed { column, rank, state, wip_limit })
}
