//! Team commands.

use serde::Serialize;
use taskfold_domain::Event;
use taskfold_domain::ids::TeamId;
use taskfold_domain::merge::Touches;
use taskfold_domain::team::{Context, decide};
use taskfold_domain::{SubjectKind, Team, TeamCommand, TeamEvent};
use uuid::Uuid;

use super::Engine;
use super::append::Effects;
use super::envelope::{CommandError, Done, Envelope, data_of};
use super::execute::{CommandHandler, Decision, created, run};
use super::precondition::BaseVersion;

impl Engine {
    /// Executes a team command.
    pub async fn team(&self, id: TeamId, command: TeamCommand, envelope: Envelope) -> Result<Done, CommandError> {
        envelope.must_reach_teams()?;
        let deciding = TeamHandler { engine: self, id, command: &command, envelope: &envelope };
        Box::pin(run(self, &self.teams, SubjectKind::Team, id.0, &envelope, &deciding)).await
    }
}

struct TeamHandler<'a> {
    engine: &'a Engine,
    id: TeamId,
    command: &'a TeamCommand,
    envelope: &'a Envelope,
}

impl CommandHandler for TeamHandler<'_> {
    type Aggregate = Team;

    fn command(&self) -> &(impl Serialize + Sync) {
        self.command
    }

    fn makes(&self) -> bool {
        matches!(self.command, TeamCommand::Create(_))
    }

    fn target(&self) -> Uuid {
        if self.makes() { Uuid::nil() } else { self.id.0 }
    }

    fn wrap(event: TeamEvent) -> Event {
        Event::Team(event)
    }

    async fn decide(&self, team: &Team, _: bool) -> (Result<Decision<TeamEvent>, CommandError>, bool) {
        (self.decide_on(team).await, true)
    }
}

impl TeamHandler<'_> {
    async fn decide_on(&self, team: &Team) -> Result<Decision<TeamEvent>, CommandError> {
        let context = Context { actor: self.envelope.actor, id: self.id };
        let events = decide(team, self.command, &context)?;
        for event in &events {
            if let TeamEvent::MemberAdded(e) = event {
                self.engine.must_have_account(e.member.to.user_id, false).await?;
            }
        }
        let mine: Vec<_> = events.iter().flat_map(Touches::touches).collect();
        let based = BaseVersion {
            pool: &self.engine.pool,
            aggregate_type: SubjectKind::Team.as_str(),
            id: self.id.0,
            version: team.version,
            edited_version: team.edited_version,
        };
        based.check(self.envelope.precondition, &mine, || data_of(self.command)).await?;
        let (created_id, created) = created(events.first().map(TeamEvent::creates));
        let effects = Effects { created_id, created, ..Effects::default() };
        Ok(Decision { project: None, events, effects })
    }
}
