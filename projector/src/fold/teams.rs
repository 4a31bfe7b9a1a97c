use taskfold_domain::TeamEvent;
use taskfold_domain::team::TeamMember;

use super::{Decoded, NoRow};
use crate::rows::{TeamMemberRow, TeamRow};
use crate::tables::{Keys, Tables};

pub fn keys(keys: &mut Keys, decoded: &Decoded<'_>, event: &TeamEvent) {
    keys.teams.insert(decoded.id);
    if let TeamEvent::MemberRoleChanged(e) = event {
        keys.team_members.insert((decoded.id, e.member.to.user_id.0));
    }
}

impl Tables {
    pub fn apply_team(&mut self, decoded: &Decoded<'_>, event: &TeamEvent) -> Result<(), NoRow> {
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
                let key = (decoded.id, e.member.to.user_id.0);
                self.team_members.get_mut(&key).ok_or(NoRow("team member"))?.role = e.member.to.role;
            }
            TeamEvent::MemberRemoved(e) => self.team_members.remove(&(decoded.id, e.member.from.user_id.0)),
            TeamEvent::Deleted(e) => {
                self.teams.remove(&decoded.id);
                for member in &e.members.from {
                    self.team_members.remove(&(decoded.id, member.user_id.0));
                }
            }
        }
        Ok(())
    }

    fn put_team_member(&mut self, decoded: &Decoded<'_>, member: TeamMember) {
        self.team_members.put(TeamMemberRow {
            team_id: decoded.id,
            user_id: member.user_id.0,
            role: member.role,
            position: decoded.logged.position,
        });
    }
}
