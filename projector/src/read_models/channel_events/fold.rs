//! Fold of events into events on channels.

use taskfold_domain::role::Holder;
use taskfold_domain::{ProjectEvent, TeamEvent};
use uuid::Uuid;

use super::ChannelEventRow;
use crate::decoded::Decoded;
use crate::tables::Tables;

/// Recipients of an event on the channel `me`, whatever other channels it is delivered on.
enum Recipients {
    /// Members of the team at that position.
    Team(Uuid),
    Person(Uuid),
}

/// Delivers changes of roles to whom they are about. A new project's creator knows.
pub fn apply_project(tables: &mut Tables, decoded: &Decoded<'_>, event: &ProjectEvent) {
    if matches!(event, ProjectEvent::Created(_)) {
        return;
    }
    for change in event.role_changes() {
        let recipients = match change.holder {
            Holder::Person(user) => Recipients::Person(user.0),
            Holder::Team(team) => Recipients::Team(team.0),
        };
        put(tables, decoded, recipients);
    }
}

/// Delivers every event of a team to its members.
pub fn apply_team(tables: &mut Tables, decoded: &Decoded<'_>, event: &TeamEvent) {
    match event {
        TeamEvent::Created(_)
        | TeamEvent::Renamed(_)
        | TeamEvent::MemberAdded(_)
        | TeamEvent::MemberRoleChanged(_)
        | TeamEvent::MemberRemoved(_)
        | TeamEvent::Deleted(_) => put(tables, decoded, Recipients::Team(decoded.id)),
    }
}

fn put(tables: &mut Tables, decoded: &Decoded<'_>, recipients: Recipients) {
    let (team_id, user_id) = match recipients {
        Recipients::Team(team) => (Some(team), None),
        Recipients::Person(user) => (None, Some(user)),
    };
    tables.channel_events.put(ChannelEventRow { position: decoded.logged.position, team_id, user_id });
}
