//! Adapter to cqrs-es, which folds, tests and loads the aggregate.

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;

use super::commands::ProjectCommand;
use super::decide::{Context, decide};
use super::events::ProjectEvent;
use super::state::Project;
use crate::refusal::Refusal;

/// A command with its context, as cqrs-es hands it to an aggregate.
#[derive(Clone, Debug)]
pub struct CommandWithContext {
    pub command: ProjectCommand,
    pub context: Context,
}

impl Aggregate for Project {
    const TYPE: &'static str = super::TYPE;
    type Command = CommandWithContext;
    type Event = ProjectEvent;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, given: CommandWithContext, _: &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        for event in decide(self, &given.command, &given.context)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: ProjectEvent) {
        Project::apply(self, &event);
    }
}
