//! Check that an event follows from the state before it: the `from` values must be those of the state.

use super::events::TeamEvent;
use super::state::Team;

impl Team {
    /// Names the field of which the event states another value before than the team has; `None` when it follows.
    pub fn contradicts(&self, event: &TeamEvent) -> Option<&'static str> {
        let Some(team) = self.present() else {
            let is_new = matches!(event, TeamEvent::Created(_)) && !self.id_is_taken();
            return (!is_new).then_some("existence");
        };
        let (field, follows) = match event {
            TeamEvent::Created(_) => ("existence", false),
            TeamEvent::Renamed(e) => ("name", e.name.from == team.fields.name),
            TeamEvent::MemberAdded(e) => ("member", team.role_of(e.member.to.user_id).is_none()),
            TeamEvent::MemberRoleChanged(e) => ("member", team.members.contains(&e.member.from)),
            TeamEvent::MemberRemoved(e) => ("member", team.members.contains(&e.member.from)),
            TeamEvent::Deleted(e) => ("members", e.members.from == team.members),
        };
        (!follows).then_some(field)
    }
}
