//! Withdrawals of authority: the last time at which a person lost a role, or a part of it. Invitations made before it
//! neither carry the person's authority any more, nor give back to that person what was taken.

use serde::{Deserialize, Serialize};

use super::events::ProjectEvent;
use crate::ids::UserId;

/// The last event that took authority from a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    pub user_id: UserId,
    /// Version of the project since that event.
    pub version: u64,
    pub kind: WithdrawalKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WithdrawalKind {
    /// Got a lower role.
    Demoted,
    /// Was removed by somebody else.
    Removed,
    /// Left on their own.
    Left,
}

impl Withdrawal {
    /// The withdrawal by an event that leads to this version of the project.
    pub(super) fn of(event: &ProjectEvent, version: u64) -> Option<Self> {
        match event {
            ProjectEvent::MemberRoleChanged(e) if e.member.to.role < e.member.from.role => {
                Some(Self { user_id: e.member.to.user_id, version, kind: WithdrawalKind::Demoted })
            }
            ProjectEvent::MemberRemoved(e) => {
                let left = e.left.as_ref().is_some_and(|left| left.to);
                let kind = if left { WithdrawalKind::Left } else { WithdrawalKind::Removed };
                Some(Self { user_id: e.member.from.user_id, version, kind })
            }
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
            | ProjectEvent::TeamRemoved(_)
            | ProjectEvent::Watched(_)
            | ProjectEvent::Unwatched(_)
            | ProjectEvent::FilterAdded(_)
            | ProjectEvent::FilterChanged(_)
            | ProjectEvent::FilterRemoved(_) => None,
        }
    }
}
