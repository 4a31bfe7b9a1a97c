use taskfold_domain::ids::{ChecklistId, ColumnId, CommentId, ItemId, LabelId, ProjectId, TaskId, UserId};
use uuid::Uuid;

/// Makes our ids from the source's: UUIDv5 below the project, so that importing again finds the same things.
#[derive(Clone, Copy, Debug)]
pub struct Ids {
    pub project: ProjectId,
    /// The same person has the same account in all projects with this scope.
    pub people: Uuid,
}

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

    /// The command made from an action (or invented): the same action of any export has the same.
    pub fn command(&self, key: &str) -> Uuid {
        self.id("command", key)
    }

    pub fn person(&self, source: &str) -> UserId {
        UserId(Uuid::new_v5(&self.people, format!("trello:member:{source}").as_bytes()))
    }

    fn id(&self, kind: &str, source: &str) -> Uuid {
        Uuid::new_v5(&self.project.0, format!("trello:{kind}:{source}").as_bytes())
    }
}
