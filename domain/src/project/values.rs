//! Values that the events and the state of a project are made of. They depend on neither.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{ColumnId, FilterId, LabelId, TeamId, UserId};
use crate::rank::Rank;
use crate::role::Role;

/// Kind of work in a column; entering a column of another category starts, completes or reopens a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    Todo,
    InProgress,
    Done,
}

/// Policy of a full column: report it, or refuse tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WipPolicy {
    #[default]
    Advisory,
    Enforced,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = LoggedColumn)]
pub struct Column {
    pub id: ColumnId,
    #[serde(serialize_with = "crate::words::serialize")]
    pub name: String,
    pub category: Category,
    pub wip_limit: Option<u32>,
    pub wip_policy: WipPolicy,
    pub rank: Rank,
    pub archived: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Label {
    pub id: LabelId,
    /// May be empty: some labels have a colour only.
    #[serde(serialize_with = "crate::words::serialize")]
    pub name: String,
    pub color: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = LoggedMember)]
pub struct Member {
    pub user_id: UserId,
    pub role: Role,
}

/// The role that all members of a team have in the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TeamGrant {
    pub team_id: TeamId,
    pub role: Role,
}

/// A named filter of the project's tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SavedFilter {
    pub id: FilterId,
    #[serde(serialize_with = "crate::words::serialize")]
    pub name: String,
    /// Query parameters of the project's list of tasks.
    #[serde(serialize_with = "crate::words::serialize")]
    pub query: String,
}
