//! Ids for the things of a board, the same in every import.

use taskfold_domain::ids::{ChecklistId, ColumnId, CommentId, ItemId, LabelId, TaskId, UserId};
use uuid::Uuid;

use crate::source::IdScope;

/// Derives ids from those of the source: UUIDv5 in the namespace of the project or, for people, of the scope.
#[derive(Clone, Copy, Debug)]
pub struct Ids(pub IdScope);

impl Ids {
    pub fn task(&self, source: &str) -> TaskId {
        TaskId(self.id("card", source))
    }

    pub fn column(&self, source: &str) -> ColumnId {
        ColumnId(self.id("list", source))
    }

    pub fn label(&self, source: &str) -> LabelId {
        LabelId(self.id("label", source))
    }

    pub fn comment(&self, source: &str) -> CommentId {
        CommentId(self.id("comment", source))
    }

    pub fn checklist(&self, source: &str) -> ChecklistId {
        ChecklistId(self.id("checklist", source))
    }

    pub fn item(&self, source: &str) -> ItemId {
        ItemId(self.id("item", source))
    }

    /// Id of a command. The key names the action that it is made from, or the thing that it creates.
    pub fn command(&self, key: &str) -> Uuid {
        self.id("command", key)
    }

    pub fn person(&self, source: &str) -> UserId {
        UserId(Uuid::new_v5(&self.0.people, format!("trello:member:{source}").as_bytes()))
    }

    fn id(&self, kind: &str, source: &str) -> Uuid {
        Uuid::new_v5(&self.0.project.0, format!("trello:{kind}:{source}").as_bytes())
    }
}
