//! Adapter to cqrs-es: aggregates as it tests, loads and stores them. The rules are elsewhere, and need none of it.

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;

use crate::refusal::Refusal;

/// A command with the facts that it is decided on, as cqrs-es hands it to an aggregate.
#[derive(Clone, Debug)]
pub struct CommandWithContext<C, X> {
    pub command: C,
    pub context: X,
}

macro_rules! cqrs_aggregates {
    ($($kind:ident in $module:ident: $command:ident, $event:ident;)*) => {$(
        impl CommandWithContext<crate::$module::$command, crate::$module::Context> {
            pub fn decide(&self, state: &crate::$module::$kind) -> Result<Vec<crate::$module::$event>, Refusal> {
                crate::$module::decide(state, &self.command, &self.context)
            }
        }

        impl Aggregate for crate::$module::$kind {
            const TYPE: &'static str = crate::$module::TYPE;
            type Command = CommandWithContext<crate::$module::$command, crate::$module::Context>;
            type Event = crate::$module::$event;
            type Error = Refusal;
            type Services = ();

            async fn handle(&mut self, given: Self::Command, _: &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
                for event in given.decide(self)? {
                    sink.write(event, self).await;
                }
                Ok(())
            }

            fn apply(&mut self, event: Self::Event) {
                crate::$module::$kind::apply(self, &event);
            }
        }
    )*};
}

cqrs_aggregates! {
    Task in task: TaskCommand, TaskEvent;
    Project in project: ProjectCommand, ProjectEvent;
    Team in team: TeamCommand, TeamEvent;
}
