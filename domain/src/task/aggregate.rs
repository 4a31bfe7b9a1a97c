//! Adapter to cqrs-es, which folds, tests and loads the aggregate.

use std::sync::Arc;

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use uuid::Uuid;

use super::commands::TaskCommand;
use super::decide::{Context, Origin, decide};
use super::events::TaskEvent;
use super::state::Task;
use super::values::Comment;
use crate::Timestamp;
use crate::ids::UserId;
use crate::project::Project;
use crate::rank::Rank;
use crate::refusal::Refusal;
use crate::team::Team;

/// A command with its context, owned, as cqrs-es hands it to an aggregate.
#[derive(Clone, Debug)]
pub struct CommandWithContext {
    pub command: TaskCommand,
    pub actor: UserId,
    pub at: Timestamp,
    pub project: Project,
    pub rank: Option<Rank>,
    pub end: Rank,
    pub mentions: Vec<UserId>,
    pub fresh_id: Uuid,
    pub origin: Origin,
    pub teams: Vec<Arc<Team>>,
    pub other: Option<Task>,
    pub comment: Option<Comment>,
}

impl CommandWithContext {
    /// Decides the command on this task.
    pub fn decide(&self, task: &Task) -> Result<Vec<TaskEvent>, Refusal> {
        let context = Context {
            actor: self.actor,
            at: self.at,
            project: &self.project,
            rank: self.rank.clone(),
            end: self.end.clone(),
            mentions: self.mentions.clone(),
            fresh_id: self.fresh_id,
            origin: self.origin,
            teams: &self.teams,
            other: self.other.as_ref(),
            comment: self.comment.as_ref(),
        };
        decide(task, &self.command, &context)
    }
}

impl Aggregate for Task {
    const TYPE: &'static str = super::TYPE;
    type Command = CommandWithContext;
    type Event = TaskEvent;
    type Error = Refusal;
    type Services = ();

    async fn handle(&mut self, given: CommandWithContext, _: &(), sink: &EventSink<Self>) -> Result<(), Refusal> {
        for event in given.decide(self)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: TaskEvent) {
        Task::apply(self, &event);
    }
}
