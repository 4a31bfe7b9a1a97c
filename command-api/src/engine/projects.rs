use serde::Serialize;
use taskfold_domain::change::Event;
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_domain::merge::Touches;
use taskfold_domain::project::{Context, decide};
use taskfold_domain::task::Origin;
use taskfold_domain::{Project, ProjectCommand, ProjectEvent, Refusal, SubjectKind};
use taskfold_openapi::clock;
use uuid::Uuid;

use super::Engine;
use super::deciding::{Deciding, Decision, run};
use super::envelope::{CommandError, Done, Envelope, data_of};
use super::precondition::Based;

impl Engine {
    /// Decides a project command and appends what it comes to.
    pub async fn project(
        &self,
        id: ProjectId,
        command: ProjectCommand,
        envelope: Envelope,
    ) -> Result<Done, CommandError> {
        envelope.must_reach_project(id, &command)?;
        let deciding =
            ProjectDeciding { engine: self, id, fresh_id: clock::new_id(), command: &command, envelope: &envelope };
        Box::pin(run(self, &self.projects, SubjectKind::Project, id.0, &envelope, &deciding)).await
    }
}

struct ProjectDeciding<'a> {
    engine: &'a Engine,
    id: ProjectId,
    /// The same at every attempt, so that a decision made again makes the same thing.
    fresh_id: Uuid,
    command: &'a ProjectCommand,
    envelope: &'a Envelope,
}

impl Deciding for ProjectDeciding<'_> {
    type Aggregate = Project;

    fn command(&self) -> &(impl Serialize + Sync) {
        self.command
    }

    fn target(&self) -> Uuid {
        match self.command {
            ProjectCommand::Create(_) => Uuid::nil(),
            _ => self.id.0,
        }
    }

    fn wrap(event: ProjectEvent) -> Event {
        Event::Project(event)
    }

    async fn decide(&self, project: &Project, _: bool) -> (Result<Decision<ProjectEvent>, CommandError>, bool) {
        (self.decide_on(project).await, true)
    }
}

impl ProjectDeciding<'_> {
    async fn decide_on(&self, project: &Project) -> Result<Decision<ProjectEvent>, CommandError> {
        let import = self.envelope.origin == Origin::Import;
        let context = Context {
            actor: self.envelope.actor,
            at: self.envelope.occurred_at.filter(|_| import).unwrap_or_else(clock::now),
            jitter: rand::random(),
            id: self.id,
            fresh_id: self.fresh_id,
            origin: self.envelope.origin,
            invited: self.envelope.invited,
        };
        let events = decide(project, self.command, &context)?;
        for event in &events {
            if let ProjectEvent::MemberAdded(e) = event {
                self.must_have_account(e.member.to.user_id).await?;
            }
        }
        let mine: Vec<_> = events.iter().flat_map(Touches::touches).collect();
        let based = Based {
            pool: &self.engine.pool,
            aggregate_type: SubjectKind::Project.as_str(),
            id: self.id.0,
            version: project.version,
            edited_version: project.edited_version,
        };
        based.check(self.envelope.precondition, &mine, || data_of(self.command)).await?;
        let (created_id, created) = match events.first() {
            Some(ProjectEvent::Created(_)) => (None, true),
            Some(ProjectEvent::ColumnAdded(e)) => (Some(e.column.to.id.0), true),
            Some(ProjectEvent::LabelAdded(e)) => (Some(e.label.to.id.0), true),
            Some(ProjectEvent::MemberAdded(e)) => (Some(e.member.to.user_id.0), true),
            _ => (None, false),
        };
        let empty_column = match self.command {
            ProjectCommand::RemoveColumn(which) => Some(which.column_id),
            _ => None,
        };
        Ok(Decision { project: self.id, events, guard: None, place: None, empty_column, created_id, created })
    }

    async fn must_have_account(&self, user: UserId) -> Result<(), CommandError> {
        let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM accounts WHERE user_id = $1)")
            .bind(user.0)
            .fetch_one(&self.engine.pool)
            .await?;
        if known { Ok(()) } else { Err(Refusal::NotFound.into()) }
    }
}
