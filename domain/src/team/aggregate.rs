use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;

use super::commands::TeamCommand;
use super::decide::{Context, decide};
use super::events::TeamEvent;
use super::state::Team;
use crate::refusal::Refusal;

/// A command with its context: what cqrs-es hands to an aggregate.
#[derive(Clone, Debug)]
pub struct Asked {
    pub command: TeamCommand,
    pub context: Context,
}

impl Aggregate for Team {
    const TYPE: &'static str = super::TYPE;
    type Command = Asked;
    type Event = TeamEvent;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, asked: Asked, _: &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        for event in decide(self, &asked.command, &asked.context)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: TeamEvent) {
        Team::apply(self, event);
    }
}
