//! Task commands.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate as _;
use serde::Serialize;
use taskfold_domain::Event;
use taskfold_domain::ids::{CommentId, ProjectId, TaskId};
use taskfold_domain::limits::DEPENDENCIES_PER_TASK;
use taskfold_domain::merge::Touches;
use taskfold_domain::project::{Board, WipPolicy};
use taskfold_domain::task::side_tables::{Link, LinkKind, Placement, PlacementState, suspended_reminder};
use taskfold_domain::task::{Comment, Context, Origin, decide};
use taskfold_domain::{Access, Project, Rank, Refusal, SubjectKind, Task, TaskCommand, TaskEvent};
use uuid::Uuid;

use super::append::{Check, Effects, ExpectedVersion, Guard};
use super::envelope::{CommandError, Done, Envelope, data_of};
use super::execute::{CommandHandler, Decision, created, run};
use super::granted_teams::Teams;
use super::precondition::BaseVersion;
use super::{Engine, departures, mentions, rank_search};

impl Engine {
    /// Executes a task command. Creating one needs the envelope's project.
    pub async fn task(&self, id: TaskId, command: TaskCommand, envelope: Envelope) -> Result<Done, CommandError> {
        self.must_reach_task(id, &envelope).await?;
        let fresh_id = self.clock.new_id();
        let deciding = TaskHandler { engine: self, id, fresh_id, command: &command, envelope: &envelope };
        // Boxed: the future is large, and every handler would carry it whole.
        Box::pin(run(self, &self.tasks, SubjectKind::Task, id.0, &envelope, &deciding)).await
    }

    /// Refuses what the command would be refused for now, and appends nothing: a check before an expensive preparation.
    /// The command is decided again when it is appended. Returns the task.
    pub async fn would_take(
        &self,
        id: TaskId,
        command: &TaskCommand,
        envelope: &Envelope,
    ) -> Result<Arc<Task>, CommandError> {
        self.must_reach_task(id, envelope).await?;
        let deciding = TaskHandler { engine: self, id, fresh_id: Uuid::nil(), command, envelope };
        let task = self.tasks.load(id.0, true).await?.state;
        deciding.decide(&task, true).await.0.map(|_| task)
    }
}

struct TaskHandler<'a> {
    engine: &'a Engine,
    id: TaskId,
    /// Stays the same at every attempt, so that a decision made again creates the same thing.
    fresh_id: Uuid,
    command: &'a TaskCommand,
    envelope: &'a Envelope,
}

impl CommandHandler for TaskHandler<'_> {
    type Aggregate = Task;

    fn command(&self) -> &(impl Serialize + Sync) {
        self.command
    }

    fn makes(&self) -> bool {
        matches!(self.command, TaskCommand::Create(_))
    }

    fn target(&self) -> Uuid {
        let parent = self.envelope.project_id.filter(|_| self.makes());
        parent.map_or(self.id.0, |project| project.0)
    }

    fn wrap(event: TaskEvent) -> Event {
        Event::Task(event)
    }

    async fn decide(&self, task: &Task, fresh: bool) -> (Result<Decision<TaskEvent>, CommandError>, bool) {
        let project_id = match (task.fields(), self.command) {
            (Some(fields), TaskCommand::Create(_)) if Some(fields.project_id) != self.envelope.project_id => {
                return (Err(Refusal::AlreadyExists.into()), true);
            }
            (Some(fields), _) => Some(fields.project_id),
            (None, _) => self.envelope.project_id,
        };
        let Some(project_id) = project_id else { return (Err(Refusal::NotFound.into()), true) };
        match self.context_of(project_id, fresh).await {
            Err(error) => (Err(error), true),
            Ok(around) => {
                let all_fresh = around.fresh;
                (self.decide_in(task, around).await, all_fresh)
            }
        }
    }
}

/// Aggregates that a task command is decided on besides the task.
struct TaskContext {
    project: Arc<Project>,
    /// Command of the project's last event.
    project_command: Option<Uuid>,
    teams: Teams,
    /// Another task that the command names.
    other: Option<Arc<Task>>,
    fresh: bool,
}

impl TaskHandler<'_> {
    async fn context_of(&self, project: ProjectId, fresh: bool) -> Result<TaskContext, CommandError> {
        let project = self.engine.projects.load(project.0, fresh).await?;
        let teams = self.engine.teams_of(project.state.board(), &[], fresh).await?;
        let other = self.command.required_facts().other;
        let other = match other.filter(|other| *other != self.id) {
            Some(id) => Some(self.engine.tasks.load(id.0, fresh).await?),
            None => None,
        };
        let all_fresh = project.fresh && teams.fresh && other.as_ref().is_none_or(|other| other.fresh);
        let project_command = project.command;
        Ok(TaskContext {
            project: project.state,
            project_command,
            teams,
            other: other.map(|other| other.state),
            fresh: all_fresh,
        })
    }

    async fn decide_in(&self, task: &Task, around: TaskContext) -> Result<Decision<TaskEvent>, CommandError> {
        let project = &*around.project;
        let board = project.board().ok_or(Refusal::NotFound)?;
        let at = self.envelope.occurred_at.filter(|_| self.is_import()).unwrap_or_else(|| self.engine.clock.now());
        let (behind_all, jitter) = self.engine.jitter.behind_all(self.engine.clock.now());
        let ranked_at = if self.is_import() { at } else { behind_all };
        let pool = &self.engine.pool;
        let access = Access::new(board, &around.teams.all);
        // Strangers learn nothing from lookups: the decision refuses them, whatever was found.
        let member = self.is_import() || access.role_of(self.envelope.actor).is_some();
        let facts = self.command.required_facts();
        let rank = if let Some(rank) = &self.envelope.rank {
            Some(rank.clone()).filter(|rank| !self.stands_at(task, rank))
        } else if let (TaskCommand::Move(to), Some(fields)) = (self.command, task.fields())
            && member
        {
            let to = self.envelope.behind.map_or(Cow::Borrowed(to), |task| Cow::Owned(to.behind(task)));
            rank_search::find(pool, self.id, fields, &to, ranked_at, jitter).await?
        } else {
            None
        };
        let mentions = match facts.text.filter(|_| member) {
            Some(text) => mentions::members_named(pool, access, text).await?,
            None => Vec::new(),
        };
        let comment = match facts.comment.filter(|_| member) {
            Some(id) => self.logged_comment(task, id).await?,
            None => None,
        };
        let context = Context {
            actor: self.envelope.actor,
            at,
            project: Arc::clone(&around.project),
            rank,
            end: Rank::at_end(ranked_at, jitter),
            mentions,
            fresh_id: if self.makes() { self.id.0 } else { self.fresh_id },
            origin: self.envelope.origin,
            teams: around.teams.all.clone(),
            other: around.other.clone(),
            deleted_dependencies: self.deleted_dependencies(task).await?,
            comment,
        };
        let events = match decide(task, self.command, &context) {
            Ok(events) => events,
            Err(refusal) => return Err(departures::complete(pool, board.id, refusal).await),
        };
        let mine: Vec<_> = events.iter().flat_map(Touches::touches).collect();
        let based = BaseVersion {
            pool,
            aggregate_type: SubjectKind::Task.as_str(),
            id: self.id.0,
            version: task.version,
            edited_version: task.edited_version,
        };
        based.check(self.envelope.precondition, &mine, || data_of(self.command)).await?;

        let mut after = task.clone();
        for event in &events {
            after.apply(event);
        }
        let (created_id, created) = created(events.first().map(TaskEvent::creates));
        let guarded = self.envelope.origin == Origin::Live;
        let mut guards = if guarded { around.teams.guards() } else { Vec::new() };
        guards.extend(guarded.then(|| Guard {
            aggregate_type: SubjectKind::Project.as_str(),
            aggregate: board.id.0,
            expected: ExpectedVersion { version: project.version, command_id: around.project_command },
        }));
        let (placement, wip_limit) = placed(task, &after, project, self.is_import()).unzip();
        let link = events.iter().find_map(Link::of);
        let effects = Effects {
            guards,
            checks: wip_limit.flatten().into_iter().chain(link.and_then(acyclic)).collect(),
            placement,
            link,
            reminder: self.due(task, &after, board),
            created_id,
            created,
        };
        Ok(Decision { project: Some(board.id), events, effects })
    }

    /// For a new dependency of a task that has as many as it may: the number of those that are deleted.
    async fn deleted_dependencies(&self, task: &Task) -> sqlx::Result<usize> {
        let dependencies = task.fields().map(|fields| fields.dependency_ids.as_slice()).unwrap_or_default();
        if !matches!(self.command, TaskCommand::AddDependency(_)) || dependencies.len() < DEPENDENCIES_PER_TASK {
            return Ok(0);
        }
        let dependencies: Vec<Uuid> = dependencies.iter().map(|task| task.0).collect();
        let deleted = sqlx::query_scalar!(
            r#"SELECT count(*) AS "count!" FROM task_places WHERE task_id = ANY ($1) AND state = $2"#,
            &dependencies,
            PlacementState::Deleted as i16,
        )
        .fetch_one(&self.engine.pool)
        .await?;
        Ok(usize::try_from(deleted).unwrap_or_default())
    }

    /// Comment with its text, from the log. The append refuses a decision on a text that was edited meanwhile.
    async fn logged_comment(&self, task: &Task, id: CommentId) -> Result<Option<Comment>, CommandError> {
        let Some(comment) = task.card().and_then(|card| card.comment(id)) else { return Ok(None) };
        let at = i64::try_from(comment.written_at).unwrap_or(i64::MAX);
        let pool = &self.engine.pool;
        let logged = taskfold_event_log::aggregate_event(pool, Task::TYPE, &self.id.to_string(), at).await?;
        let event = logged.map(|logged| logged.event()).transpose().map_err(|e| CommandError::Broken(e.to_string()))?;
        let read = event.and_then(|event| match event {
            Event::Task(event) => comment.read_from(event),
            Event::Project(_) | Event::Team(_) => None,
        });
        read.map(Some).ok_or_else(|| CommandError::Broken(format!("the text of comment {id} is not in the log")))
    }

    /// Time of the next reminder, if that changes.
    fn due(&self, before: &Task, after: &Task, board: &Board) -> Option<Option<DateTime<Utc>>> {
        let next = |task: &Task| {
            let hidden = task.fields().is_some_and(|fields| board.fields.hides(fields.column_id));
            let at = task.reminder_at()?;
            Some(if hidden { suspended_reminder() } else { at }.utc())
        };
        let now = self.engine.clock.now().utc();
        // Nobody wants to be told of the due times of an old board.
        let wanted = next(after).filter(|at| !self.is_import() || *at > now);
        let asks = matches!(self.command, TaskCommand::Remind(_));
        (asks || wanted != next(before)).then_some(wanted)
    }

    /// Returns `true` if a move to this rank leaves the task in place: the same rank in another column is another
    /// place.
    fn stands_at(&self, task: &Task, rank: &Rank) -> bool {
        let TaskCommand::Move(to) = self.command else { return false };
        task.fields().is_some_and(|fields| fields.column_id == to.column_id && fields.rank == *rank)
    }

    fn is_import(&self) -> bool {
        self.envelope.origin == Origin::Import
    }
}

/// Check that a new link closes no cycle.
fn acyclic(link: Link) -> Option<Check> {
    match link {
        Link::WaitsFor(target) => Some(Check::Acyclic { kind: LinkKind::WaitsFor, target }),
        Link::PartOf(target) => target.map(|target| Check::Acyclic { kind: LinkKind::PartOf, target }),
        Link::NoLongerWaitsFor(_) => None,
    }
}

/// Placement of the task after its events, if they change it, with the check of an enforced limit.
fn placed(before: &Task, after: &Task, project: &Project, import: bool) -> Option<(Placement, Option<Check>)> {
    let (was, place) = (before.placement(), after.placement()?);
    if was.as_ref() == Some(&place) {
        return None;
    }
    let stood_there = was.is_some_and(|was| was.column == place.column && was.state == PlacementState::OnBoard);
    let enters = place.state == PlacementState::OnBoard && !stood_there;
    let wip_limit = project
        .board()
        .and_then(|board| board.fields.column(place.column))
        .filter(|c| enters && !import && c.wip_policy == WipPolicy::Enforced)
        .and_then(|c| c.wip_limit)
        .map(|limit| Check::WipLimit { column: place.column, limit });
    Some((place, wip_limit))
}
