//! Check that an event follows from the state before it: the `from` values must be those of the state.

use super::events::TeamEvent;
use super::state::Team;

impl Team {
    /// The field of which the event says another value before than the team has; `None` when it follows.
    pub fn contradicts(&self, event: &TeamEvent) -> Option<&'static str> {
        let Some(roster) = self.roster() else {
            let is_new = matches!(event, TeamEvent::Created(_)) && !self.was();
            return (!is_new).then_some("existence");
        };
        let (field, follows) = match event {
            TeamEvent::Created(_) => ("existence", false),
            TeamEvent::Renamed(e) => ("name", e.name.from == roster.name),
            TeamEvent::MemberAdded(e) => ("member", roster.role_of(e.member.to.user_id).is_none()),
            TeamEvent::MemberRoleChanged(e) => ("member", roster.members.contains(&e.member.from)),
            TeamEvent::MemberRemoved(e) => ("member", roster.members.contains(&e.member.from)),
            TeamEvent::Deleted(e) => ("members", e.members.from == roster.members),
        };
        (!follows).then_some(field)
    }
}
