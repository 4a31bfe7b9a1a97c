use taskfold_domain::Role;
use taskfold_domain::team::TeamRole;
use uuid::Uuid;

use super::{Decoded, NoRow};
use crate::rows::{
    ChannelEventRow, MemberRow, PastMemberRow, PastProjectTeamRow, PastTeamMemberRow, ProjectTeamRow, Row,
    TeamMemberRow,
};
use crate::tables::{Rows, Tables};

/// An open interval: a membership, or a role that a team has in a project.
pub trait Open: Row {
    /// The same when it has ended.
    type Past: Row;
    type Role;
    fn ended(&self, position: i64) -> Self::Past;
    fn begin(&mut self, role: Self::Role, position: i64);
}

macro_rules! open {
    ($($open:ident ($one:ident, $other:ident, $role:ty) ends as $past:ident;)*) => {$(
        impl Open for $open {
            type Past = $past;
            type Role = $role;
            fn ended(&self, position: i64) -> $past {
                let Self { $one, $other, role, from_position, .. } = *self;
                $past { $one, $other, role, from_position, to_position: position }
            }
            fn begin(&mut self, role: $role, position: i64) {
                self.role = role;
                self.from_position = position;
            }
        }
    )*};
}
open! {
    MemberRow (project_id, user_id, Role) ends as PastMemberRow;
    TeamMemberRow (team_id, user_id, TeamRole) ends as PastTeamMemberRow;
    ProjectTeamRow (project_id, team_id, Role) ends as PastProjectTeamRow;
}

/// Another role: one interval ends where the next begins.
pub fn change<R: Open>(
    open: &mut Rows<R>,
    past: &mut Rows<R::Past>,
    key: &R::Key,
    role: R::Role,
    position: i64,
) -> Result<(), NoRow> {
    let row = open.get_mut(key).ok_or(NoRow("membership"))?;
    past.put(row.ended(position));
    row.begin(role, position);
    Ok(())
}

pub fn end<R: Open>(open: &mut Rows<R>, past: &mut Rows<R::Past>, key: &R::Key, position: i64) -> Result<(), NoRow> {
    let row = open.get(key).ok_or(NoRow("membership"))?;
    past.put(row.ended(position));
    open.remove(key);
    Ok(())
}

/// Whom an event is told to on the channel `me`, wherever else it is seen.
pub enum Channel {
    /// Whoever is in the team at that position.
    Team(Uuid),
    Person(Uuid),
}

impl Tables {
    pub fn tell_channel(&mut self, decoded: &Decoded<'_>, channel: Channel) {
        let (team_id, user_id) = match channel {
            Channel::Team(team) => (Some(team), None),
            Channel::Person(user) => (None, Some(user)),
        };
        self.channel_events.put(ChannelEventRow { position: decoded.logged.position, team_id, user_id });
    }
}
