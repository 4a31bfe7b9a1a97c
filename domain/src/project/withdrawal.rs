//! Withdrawals of authority: the last times at which a person lost a role, or a part of it. Invitations made before
//! neither carry the person's authority any more, nor give back to that person what was taken.

use serde::{Deserialize, Serialize};

use super::events::ProjectEvent;
use crate::ids::{TeamId, UserId};

/// Events that took authority from a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawals {
    pub user_id: UserId,
    /// Version of the project since the last one of any kind.
    pub last: u64,
    /// Version since the last demotion, or removal by somebody else. Leaving afterwards does not undo it.
    pub last_taken: Option<u64>,
    /// The last one was that the person left on their own.
    pub left: bool,
}

/// The last event that took a role in the project, or a part of it, from a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamWithdrawal {
    pub team_id: TeamId,
    /// Version of the project since that event.
    pub version: u64,
}

/// An event that takes authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Withdrawal {
    /// A person got a lower role, or was removed by somebody else.
    Taken(UserId),
    /// A person left on their own.
    Left(UserId),
    /// A team got a lower role, or none.
    OfTeam(TeamId),
}

impl Withdrawal {
    pub(super) fn of(event: &ProjectEvent) -> Option<Self> {
        match event {
            ProjectEvent::MemberRoleChanged(e) if e.member.to.role < e.member.from.role => {
                Some(Self::Taken(e.member.to.user_id))
            }
            ProjectEvent::MemberRemoved(e) => {
                let left = e.left.as_ref().is_some_and(|left| left.to);
                let user = e.member.from.user_id;
                Some(if left { Self::Left(user) } else { Self::Taken(user) })
            }
            ProjectEvent::TeamRoleChanged(e) if e.team.to.role < e.team.from.role => {
                Some(Self::OfTeam(e.team.to.team_id))
            }
            ProjectEvent::TeamRemoved(e) => Some(Self::OfTeam(e.team.from.team_id)),
            ProjectEvent::MemberRoleChanged(_)
            | ProjectEvent::Created(_)
            | ProjectEvent::Renamed(_)
            | ProjectEvent::Described(_)
            | ProjectEvent::ColumnAdded(_)
            | ProjectEvent::ColumnRenamed(_)
            | ProjectEvent::ColumnMoved(_)
            | ProjectEvent::ColumnArchived(_)
            | ProjectEvent::ColumnRestored(_)
            | ProjectEvent::ColumnRemoved(_)
            | ProjectEvent::WipLimitSet(_)
            | ProjectEvent::LabelAdded(_)
            | ProjectEvent::LabelChanged(_)
            | ProjectEvent::LabelRemoved(_)
            | ProjectEvent::MemberAdded(_)
            | ProjectEvent::Archived(_)
            | ProjectEvent::Restored(_)
            | ProjectEvent::TeamAdded(_)
            | ProjectEvent::TeamRoleChanged(_)
            | ProjectEvent::Watched(_)
            | ProjectEvent::Unwatched(_)
            | ProjectEvent::FilterAdded(_)
            | ProjectEvent::FilterChanged(_)
            | ProjectEvent::FilterRemoved(_) => None,
        }
    }
}
