//! Project commands.

use std::sync::Arc;

use serde::Serialize;
use taskfold_domain::Event;
use taskfold_domain::ids::{ProjectId, TeamId};
use taskfold_domain::merge::Touches;
use taskfold_domain::project::{Board, Context, decide};
use taskfold_domain::task::Origin;
use taskfold_domain::{Access, Project, ProjectCommand, ProjectEvent, Refusal, SubjectKind};
use uuid::Uuid;

use super::Engine;
use super::append::{Check, Effects};
use super::envelope::{CommandError, Done, Envelope, data_of};
use super::execute::{CommandHandler, Decision, created, run};
use super::granted_teams::Teams;
use super::precondition::BaseVersion;

impl Engine {
    /// Executes a project command.
    pub async fn project(
        &self,
        id: ProjectId,
        command: ProjectCommand,
        envelope: Envelope,
    ) -> Result<Done, CommandError> {
        envelope.must_reach_project(id, &command)?;
        let fresh_id = self.clock.new_id();
        let deciding = ProjectHandler { engine: self, id, fresh_id, command: &command, envelope: &envelope };
        Box::pin(run(self, &self.projects, SubjectKind::Project, id.0, &envelope, &deciding)).await
    }
}

struct ProjectHandler<'a> {
    engine: &'a Engine,
    id: ProjectId,
    /// Stays the same at every attempt, so that a decision made again creates the same thing.
    fresh_id: Uuid,
    command: &'a ProjectCommand,
    envelope: &'a Envelope,
}

impl CommandHandler for ProjectHandler<'_> {
    type Aggregate = Project;

    fn command(&self) -> &(impl Serialize + Sync) {
        self.command
    }

    fn makes(&self) -> bool {
        matches!(self.command, ProjectCommand::Create(_))
    }

    fn target(&self) -> Uuid {
        if self.makes() { Uuid::nil() } else { self.id.0 }
    }

    fn wrap(event: ProjectEvent) -> Event {
        Event::Project(event)
    }

    async fn decide(&self, project: &Project, fresh: bool) -> (Result<Decision<ProjectEvent>, CommandError>, bool) {
        let named = self.command.required_facts().team;
        let withdrawn = match (self.envelope.invitation, project.board()) {
            (Some(made), Some(board)) => board.teams_withdrawn_since(made.invitation.made_at).collect(),
            (None, _) | (_, None) => Vec::new(),
        };
        let others: Vec<TeamId> = withdrawn.into_iter().chain(named).collect();
        let teams = match self.engine.teams_of(project.board(), &others, fresh).await {
            Ok(teams) => teams,
            Err(error) => return (Err(error), true),
        };
        let all_fresh = teams.fresh;
        (self.decide_on(project, teams).await, all_fresh)
    }
}

impl ProjectHandler<'_> {
    async fn decide_on(&self, project: &Project, teams: Teams) -> Result<Decision<ProjectEvent>, CommandError> {
        let import = self.envelope.origin == Origin::Import;
        let guards = if import { Vec::new() } else { teams.guards() };
        let teams_then = match self.envelope.invitation {
            Some(made) => self.engine.teams_then(&teams.all, made.position).await?,
            None => Vec::new(),
        };
        let context = Context {
            actor: self.envelope.actor,
            at: self.envelope.occurred_at.filter(|_| import).unwrap_or_else(|| self.engine.clock.now()),
            jitter: self.engine.jitter.behind_all(self.engine.clock.now()).1,
            id: self.id,
            fresh_id: self.fresh_id,
            origin: self.envelope.origin,
            teams: teams.all,
            template: self.template().await?,
            invitation: self.envelope.invitation.map(|made| made.invitation),
            teams_then,
        };
        let events = decide(project, self.command, &context)?;
        for event in &events {
            if let ProjectEvent::MemberAdded(e) = event {
                self.engine.must_have_account(e.member.to.user_id, import).await?;
            }
        }
        let mine: Vec<_> = events.iter().flat_map(Touches::touches).collect();
        let based = BaseVersion {
            pool: &self.engine.pool,
            aggregate_type: SubjectKind::Project.as_str(),
            id: self.id.0,
            version: project.version,
            edited_version: project.edited_version,
        };
        based.check(self.envelope.precondition, &mine, || data_of(self.command)).await?;
        let (created_id, created) = created(events.first().map(ProjectEvent::creates));
        let empty = self.command.required_facts().empty_column;
        let checks = empty.map(|column| Check::NoTasks { column }).into_iter().collect();
        let effects = Effects { guards, checks, created_id, created, ..Effects::default() };
        Ok(Decision { project: Some(self.id), events, effects })
    }

    /// Loads the project that serves as template, which the caller must be allowed to see.
    async fn template(&self) -> Result<Option<Arc<Board>>, CommandError> {
        let Some(id) = self.command.required_facts().template else { return Ok(None) };
        let template = self.engine.projects.load(id.0, true).await?.state;
        let teams = self.engine.teams_of(template.board(), &[], true).await?;
        let may_see = |board: &&Board| Access::new(board, &teams.all).role_of(self.envelope.actor).is_some();
        match template.board().filter(may_see) {
            Some(board) => Ok(Some(Arc::new(board.clone()))),
            None => Err(Refusal::invalid("/template_id", "not a project of yours").into()),
        }
    }
}
