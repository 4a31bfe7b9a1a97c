//! Roles in a project, and changes of who has which.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{TeamId, UserId};

/// Role of a member in a project; each role may do all that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May read.
    Viewer,
    /// May work on tasks.
    Member,
    /// May change the project: its name, columns, labels, and its members below the owners.
    Admin,
    /// May make owners, and archive.
    Owner,
}

impl Role {
    /// From the least to the most powerful.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Member, Self::Admin, Self::Owner];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

/// Holder of a role in a project: a person, or a team with all its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    Person(UserId),
    Team(TeamId),
}

/// Change of the role of a holder; `None` stands for no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleChange<H, R> {
    pub holder: H,
    pub from: Option<R>,
    pub to: Option<R>,
}

impl<H, R> RoleChange<H, R> {
    pub(crate) fn added(holder: H, role: R) -> Self {
        Self { holder, from: None, to: Some(role) }
    }

    pub(crate) fn changed(holder: H, from: R, to: R) -> Self {
        Self { holder, from: Some(from), to: Some(to) }
    }

    pub(crate) fn removed(holder: H, role: R) -> Self {
        Self { holder, from: Some(role), to: None }
    }

    /// Returns whether the holder has no role any more.
    pub(crate) fn is_removal(&self) -> bool {
        self.to.is_none()
    }
}

/// Sets, adds or removes the one item of a list that is about a holder.
pub(crate) fn set<T>(list: &mut Vec<T>, is_holders: impl Fn(&T) -> bool, to: Option<T>) {
    let at = list.iter().position(is_holders);
    match (at, to) {
        (Some(at), Some(to)) => list[at] = to,
        (None, Some(to)) => list.push(to),
        (Some(at), None) => {
            list.remove(at);
        }
        (None, None) => {}
    }
}
