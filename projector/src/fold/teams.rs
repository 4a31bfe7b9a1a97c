use taskfold_domain::TeamEvent;
use taskfold_domain::team::TeamMember;

use super::memberships::{self, Channel};
use super::{Decoded, NoRow};
use crate::rows::{TeamMemberRow, TeamRow};
use crate::tables::{Keys, Tables};

pub fn keys(keys: &mut Keys, decoded: &Decoded<'_>, event: &TeamEvent) {
    keys.teams.insert(decoded.id);
    let known = match event {
        TeamEvent::MemberRoleChanged(e) => std::slice::from_ref(&e.member.to),
        TeamEvent::MemberRemoved(e) => std::slice::from_ref(&e.member.from),
        TeamEvent::Deleted(e) => e.members.from.as_slice(),
        TeamEvent::Created(_) | TeamEvent::Renamed(_) | TeamEvent::MemberAdded(_) => &[],
    };
    keys.team_members.extend(known.iter().map(|member| (decoded.id, member.user_id.0)));
}

impl Tables {
    pub fn apply_team(&mut self, decoded: &Decoded<'_>, event: &TeamEvent) -> Result<(), NoRow> {
        self.change_team(decoded, event)?;
        self.tell_channel(decoded, Channel::Team(decoded.id));
        Ok(())
    }

    fn change_team(&mut self, decoded: &Decoded<'_>, event: &TeamEvent) -> Result<(), NoRow> {
        let logged = decoded.logged;
        if let TeamEvent::Created(e) = event {
            self.teams.put(TeamRow {
                team_id: decoded.id,
                name: e.name.to.clone(),
                created_at: logged.occurred_at,
                created_by: logged.actor_id,
                version: logged.sequence,
                position: logged.position,
            });
            for member in &e.members.to {
                self.put_team_member(decoded, *member);
            }
            return Ok(());
        }
        let row = self.teams.get_mut(&decoded.id).ok_or(NoRow("team"))?;
        row.version = logged.sequence;
        row.position = logged.position;
        match event {
            TeamEvent::Created(_) => {}
            TeamEvent::Renamed(e) => row.name.clone_from(&e.name.to),
            TeamEvent::MemberAdded(e) => self.put_team_member(decoded, e.member.to),
            TeamEvent::MemberRoleChanged(e) => {
                let TeamMember { user_id, role } = e.member.to;
                let (open, past) = (&mut self.team_members, &mut self.past_team_members);
                memberships::change(open, past, &(decoded.id, user_id.0), role, logged.position)?;
            }
            TeamEvent::MemberRemoved(e) => self.end_team_member(decoded, e.member.from)?,
            TeamEvent::Deleted(e) => {
                self.teams.remove(&decoded.id);
                for member in &e.members.from {
                    self.end_team_member(decoded, *member)?;
                }
            }
        }
        Ok(())
    }

    fn end_team_member(&mut self, decoded: &Decoded<'_>, member: TeamMember) -> Result<(), NoRow> {
        let key = (decoded.id, member.user_id.0);
        memberships::end(&mut self.team_members, &mut self.past_team_members, &key, decoded.logged.position)
    }

    fn put_team_member(&mut self, decoded: &Decoded<'_>, member: TeamMember) {
        self.team_members.put(TeamMemberRow {
            team_id: decoded.id,
            user_id: member.user_id.0,
            role: member.role,
            position: decoded.logged.position,
            from_position: decoded.logged.position,
        });
    }
}
