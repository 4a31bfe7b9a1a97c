//! The formats that can be imported, and the trait that each of them implements. Sources are pure: they read documents
//! and decide on commands, and have no database, clock or network.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use taskfold_domain::ids::{ColumnId, ProjectId, TaskId, UserId};
use taskfold_domain::project::Board;
use taskfold_domain::{Rank, Task, Timestamp};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::command::{Correction, Step};
use crate::skipped::Skipped;
use crate::trello::Trello;

/// A format of exports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A board exported from Trello as JSON.
    Trello,
}

impl Format {
    pub const ALL: [Self; 1] = [Self::Trello];

    pub fn source(self) -> &'static dyn ImportSource {
        match self {
            Self::Trello => &Trello,
        }
    }

    /// Name in requests and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trello => "trello",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }
}

/// A program that boards are imported from.
pub trait ImportSource: Send + Sync {
    /// Checks an upload without reading all of it into memory, and returns the id of its board in the source.
    fn board_id(&self, document: &[u8]) -> Result<String, InvalidUpload>;

    /// Reads an upload.
    fn parse(&self, document: &[u8]) -> Result<Box<dyn Export>, InvalidUpload>;
}

/// The reason why an upload is not an export of a board.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUpload {
    #[error("the upload is not JSON")]
    NotJson,
    /// `pointer`: JSON pointer to the invalid part of the document.
    #[error("{detail}")]
    NotABoard { pointer: &'static str, detail: &'static str },
}

/// An export that was read.
pub trait Export: Send + Sync {
    /// Number of actions in the history, readable or not.
    fn total_actions(&self) -> usize;

    fn watermark(&self) -> Watermark;

    /// Counts of what could not be read.
    fn skipped(&self) -> &Skipped;

    /// Everybody on the board or in its history, with the ids of their accounts.
    fn people(&self, scope: IdScope) -> Vec<Person>;

    /// Decides which commands replay the actions that were not imported before. `Err`: the snapshot of the last import
    /// cannot be read.
    fn plan(self: Box<Self>, context: ImportContext<'_>) -> serde_json::Result<Box<dyn PlannedImport>>;
}

/// The age of an export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watermark {
    /// Time and id of the newest action.
    pub newest_action: Option<(Timestamp, String)>,
    /// Time at which the board was last used, as the export states it.
    pub last_activity: Option<Timestamp>,
}

impl Watermark {
    /// True for an export of an earlier state of the board than `other`: by the newest action, then by the last
    /// activity.
    pub fn is_older_than(&self, other: &Self) -> bool {
        match self.newest_action.cmp(&other.newest_action) {
            std::cmp::Ordering::Greater => false,
            std::cmp::Ordering::Equal => self.last_activity < other.last_activity,
            // The newest actions may have been deleted together with their card.
            std::cmp::Ordering::Less => self.last_activity <= other.last_activity,
        }
    }

    /// The later of each time.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            newest_action: self.newest_action.max(other.newest_action),
            last_activity: self.last_activity.max(other.last_activity),
        }
    }
}

/// The namespaces of the ids that an import makes from those of the source.
#[derive(Clone, Copy, Debug)]
pub struct IdScope {
    pub project: ProjectId,
    /// A person has the same account in all projects with the same scope.
    pub people: Uuid,
}

/// Somebody on a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub user_id: UserId,
    pub username: Option<String>,
    pub full_name: Option<String>,
}

/// The circumstances of an import.
#[derive(Clone, Copy, Debug)]
pub struct ImportContext<'a> {
    pub scope: IdScope,
    /// The project, if it exists.
    pub board: Option<&'a Board>,
    /// True if the project was created for the board: it then follows the board's name, description and state.
    pub own: bool,
    /// [`PlannedImport::snapshot`] of the last import of the board into the project.
    pub base: Option<&'a RawValue>,
    /// Time and id of the newest action that was imported before.
    pub imported_up_to: Option<&'a (Timestamp, String)>,
    /// Time of the request, for boards without any time.
    pub requested_at: Timestamp,
}

/// The commands of an import: first the steps of the history, then the corrections in the order of these methods.
pub trait PlannedImport: Send + Sync {
    /// Number of actions that were not imported before.
    fn new_actions(&self) -> usize;

    /// Counts of what could not be read or has no counterpart.
    fn skipped(&self) -> &Skipped;

    /// Oldest first.
    fn steps(&self) -> &[Step];

    /// Id of the command for a key that is unique within the project.
    fn command_id(&self, key: &str) -> Uuid;

    /// Corrections of the board's name, lists, labels and members.
    fn board_corrections(&self, board: &Board) -> Vec<Correction>;

    /// Corrections of the order of columns, on a board that has all of them.
    fn column_order_corrections(&self, board: &Board) -> Vec<Correction>;

    /// Tasks for [`PlannedImport::task_corrections`].
    fn tasks_to_compare(&self) -> Vec<TaskId>;

    fn task_corrections(&self, id: TaskId, task: &Task) -> Vec<Correction>;

    /// Tasks whose placements [`PlannedImport::rank_corrections`] needs.
    fn tasks_to_order(&self) -> Vec<TaskId>;

    /// Corrections of the order of tasks within their columns.
    fn rank_corrections(&self, placements: &HashMap<TaskId, (ColumnId, Rank)>) -> Vec<Correction>;

    /// Removal of the columns whose lists the source no longer has.
    fn removed_list_corrections(&self, board: &Board) -> Vec<Correction>;

    /// The board as the export shows it, to be stored for the next import.
    fn snapshot(&self) -> serde_json::Result<Box<RawValue>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_older_by_its_newest_action_and_then_by_its_last_activity() {
        let at = |seconds: i64| Timestamp::from(chrono::DateTime::from_timestamp(seconds, 0).expect("a time"));
        let mark = |action: i64, activity: i64| Watermark {
            newest_action: Some((at(action), "a".to_owned())),
            last_activity: Some(at(activity)),
        };
        let last = mark(10, 10);
        assert!(!mark(11, 9).is_older_than(&last));
        assert!(!last.is_older_than(&last));
        assert!(mark(10, 9).is_older_than(&last));
        assert!(mark(9, 10).is_older_than(&last));
        assert!(!mark(9, 11).is_older_than(&last), "its newest action was deleted");
    }

    #[test]
    fn a_format_has_the_name_that_requests_have() {
        for format in Format::ALL {
            assert_eq!(Format::from_name(format.as_str()), Some(format));
            let parsed: Format = serde_json::from_value(format.as_str().into()).expect("a format");
            assert_eq!(parsed, format);
        }
        assert_eq!(Format::from_name("other"), None);
    }
}
