//! Statuses of a task, the steps between them, and the columns they belong in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::project::values::Category;

/// `todo -> running <-> paused -> completed / cancelled / failed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Todo,
    Running,
    Paused,
    Completed,
    Cancelled,
    Failed,
}

/// Action on a task's lifecycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Start,
    Pause,
    Resume,
    Complete,
    Cancel,
    Fail,
    Reopen,
    Progress,
}

impl Status {
    pub const ALL: [Self; 6] =
        [Self::Todo, Self::Running, Self::Paused, Self::Completed, Self::Cancelled, Self::Failed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Todo => "todo",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// Category of the columns where a task of this status belongs.
    pub fn category(self) -> Category {
        match self {
            Self::Todo => Category::Todo,
            Self::Running | Self::Paused => Category::InProgress,
            Self::Completed | Self::Cancelled | Self::Failed => Category::Done,
        }
    }

    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Failed)
    }

    /// Actions on a task in this status.
    pub fn allowed(self) -> &'static [Action] {
        match self {
            Self::Todo => &[Action::Start, Action::Complete],
            Self::Running => &[Action::Pause, Action::Complete, Action::Cancel, Action::Fail, Action::Progress],
            Self::Paused => &[Action::Resume, Action::Complete, Action::Cancel, Action::Fail],
            Self::Completed | Self::Cancelled | Self::Failed => &[Action::Reopen],
        }
    }
}

impl Action {
    pub const ALL: &'static [Self] = &[
        Self::Start,
        Self::Pause,
        Self::Resume,
        Self::Complete,
        Self::Cancel,
        Self::Fail,
        Self::Reopen,
        Self::Progress,
    ];

    /// Name in JSON, and of its command behind `task.`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Complete => "complete",
            Self::Cancel => "cancel",
            Self::Fail => "fail",
            Self::Reopen => "reopen",
            Self::Progress => "progress",
        }
    }

    /// Status that the action leads to; `Progress` leaves it.
    pub fn leads_to(self) -> Option<Status> {
        match self {
            Self::Start | Self::Resume => Some(Status::Running),
            Self::Pause => Some(Status::Paused),
            Self::Complete => Some(Status::Completed),
            Self::Cancel => Some(Status::Cancelled),
            Self::Fail => Some(Status::Failed),
            Self::Reopen => Some(Status::Todo),
            Self::Progress => None,
        }
    }

    /// Category of the columns where a task belongs after the action, if the action moves it there.
    pub fn belongs_in(self) -> Option<Category> {
        match self {
            Self::Start => Some(Category::InProgress),
            Self::Complete => Some(Category::Done),
            Self::Reopen => Some(Category::Todo),
            Self::Pause | Self::Resume | Self::Cancel | Self::Fail | Self::Progress => None,
        }
    }

    /// Actions of entering a column of `category` on a task in `status`, in order.
    pub fn on_entering(category: Category, status: Status) -> &'static [Action] {
        match (category, status) {
            (Category::Todo, Status::Todo) => &[],
            (Category::Todo, _) => &[Self::Reopen],
            (Category::InProgress, Status::Todo) => &[Self::Start],
            (Category::InProgress, Status::Running | Status::Paused) => &[],
            (Category::InProgress, _) => &[Self::Reopen, Self::Start],
            (Category::Done, Status::Todo | Status::Running | Status::Paused) => &[Self::Complete],
            (Category::Done, _) => &[],
        }
    }
}
