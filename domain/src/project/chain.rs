//! Check that an event follows from the state before it: the `from` values must be those of the state.

use super::events::{ColumnDiff, ProjectEvent};
use super::state::{Board, Project};

impl Project {
    /// Names the field of which the event states another value before than the project has; `None` when it follows.
    pub fn contradicts(&self, event: &ProjectEvent) -> Option<&'static str> {
        match (self.board(), event) {
            (None, ProjectEvent::Created(_)) => None,
            (None, _) | (Some(_), ProjectEvent::Created(_)) => Some("existence"),
            (Some(board), event) => board.contradicts(event),
        }
    }
}

impl Board {
    fn contradicts(&self, event: &ProjectEvent) -> Option<&'static str> {
        let (field, follows) = match event {
            ProjectEvent::Created(_) => return None,
            ProjectEvent::Renamed(e) => ("name", e.name.from == self.fields.name),
            ProjectEvent::Described(e) => ("description", e.description.from == self.fields.description),
            ProjectEvent::ColumnAdded(e) => ("column", self.fields.column(e.column.to.id).is_none()),
            ProjectEvent::ColumnRenamed(e)
            | ProjectEvent::ColumnMoved(e)
            | ProjectEvent::ColumnArchived(e)
            | ProjectEvent::ColumnRestored(e)
            | ProjectEvent::WipLimitSet(e) => ("column", self.column_was(&e.column.from)),
            ProjectEvent::ColumnRemoved(e) => ("column", self.fields.columns.contains(&e.column.from)),
            ProjectEvent::LabelAdded(e) => ("label", self.fields.labels.iter().all(|l| l.id != e.label.to.id)),
            ProjectEvent::LabelChanged(e) => ("label", self.fields.labels.contains(&e.label.from)),
            ProjectEvent::LabelRemoved(e) => ("label", self.fields.labels.contains(&e.label.from)),
            ProjectEvent::MemberAdded(e) => ("member", self.role_of(e.member.to.user_id).is_none()),
            ProjectEvent::MemberRoleChanged(e) => ("member", self.members.contains(&e.member.from)),
            ProjectEvent::MemberRemoved(e) => ("member", self.members.contains(&e.member.from)),
            ProjectEvent::Archived(e) | ProjectEvent::Restored(e) => {
                ("archived", e.archived.from == self.fields.archived)
            }
            ProjectEvent::TeamAdded(e) => ("team", self.teams.iter().all(|t| t.team_id != e.team.to.team_id)),
            ProjectEvent::TeamRoleChanged(e) => ("team", self.teams.contains(&e.team.from)),
            ProjectEvent::TeamRemoved(e) => ("team", self.teams.contains(&e.team.from)),
            ProjectEvent::Watched(e) => ("watcher", !self.fields.watcher_ids.contains(&e.watcher.to.user_id)),
            ProjectEvent::Unwatched(e) => ("watcher", self.fields.watcher_ids.contains(&e.watcher.from.user_id)),
            ProjectEvent::FilterAdded(e) => ("filter", self.fields.filters.iter().all(|f| f.id != e.filter.to.id)),
            ProjectEvent::FilterChanged(e) => ("filter", self.fields.filters.contains(&e.filter.from)),
            ProjectEvent::FilterRemoved(e) => ("filter", self.fields.filters.contains(&e.filter.from)),
        };
        (!follows).then_some(field)
    }

    /// Checks the fields that the event names.
    fn column_was(&self, stated: &ColumnDiff) -> bool {
        self.fields.column(stated.id).is_some_and(|was| {
            stated.name.as_ref().is_none_or(|name| *name == was.name)
                && stated.rank.as_ref().is_none_or(|rank| *rank == was.rank)
                && stated.archived.is_none_or(|archived| archived == was.archived)
                && stated.wip_limit.is_none_or(|limit| limit == was.wip_limit)
                && stated.wip_policy.is_none_or(|policy| policy == was.wip_policy)
        })
    }
}
