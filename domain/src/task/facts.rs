//! Facts that are looked up before a task command is decided.

use super::commands::TaskCommand;
use crate::ids::{CommentId, TaskId};

/// Facts about other things that a task command is decided on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequiredFacts<'a> {
    /// Another task, named as parent or dependency.
    pub other: Option<TaskId>,
    /// An existing comment, with its text.
    pub comment: Option<CommentId>,
    /// A text that may mention members.
    pub text: Option<&'a str>,
}

impl TaskCommand {
    pub fn required_facts(&self) -> RequiredFacts<'_> {
        let none = RequiredFacts::default();
        match self {
            Self::Create(create) => RequiredFacts { other: create.parent_id, ..none },
            Self::Edit(edit) => RequiredFacts { other: edit.parent_id.flatten(), ..none },
            Self::AddDependency(on) => RequiredFacts { other: Some(on.task_id), ..none },
            Self::Comment(add) => RequiredFacts { text: Some(add.text.as_str()), ..none },
            Self::EditComment(edit) => {
                RequiredFacts { comment: Some(edit.comment_id), text: Some(edit.text.as_str()), ..none }
            }
            Self::RemoveComment(remove) => RequiredFacts { comment: Some(remove.comment_id), ..none },
            Self::Move(_)
            | Self::Assign(_)
            | Self::Unassign(_)
            | Self::Label(_)
            | Self::Unlabel(_)
            | Self::Start(_)
            | Self::Pause(_)
            | Self::Resume(_)
            | Self::Complete(_)
            | Self::Cancel(_)
            | Self::Fail(_)
            | Self::Reopen(_)
            | Self::Progress(_)
            | Self::Archive(_)
            | Self::Unarchive(_)
            | Self::Delete(_)
            | Self::Restore(_)
            | Self::Attach(_)
            | Self::RemoveAttachment(_)
            | Self::AddChecklist(_)
            | Self::RenameChecklist(_)
            | Self::RemoveChecklist(_)
            | Self::AddChecklistItem(_)
            | Self::ChangeChecklistItem(_)
            | Self::RemoveChecklistItem(_)
            | Self::Watch(_)
            | Self::Unwatch(_)
            | Self::React(_)
            | Self::Unreact(_)
            | Self::RemoveDependency(_)
            | Self::Remind(_) => none,
        }
    }
}
