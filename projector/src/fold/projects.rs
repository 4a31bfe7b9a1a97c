use taskfold_domain::ProjectEvent;
use taskfold_domain::project::Member;
use taskfold_domain::project::events::Created;

use super::{Decoded, NoRow};
use crate::rows::{MemberRow, ProjectRow, ProjectTeamRow};
use crate::tables::{Keys, Tables};

pub fn keys(keys: &mut Keys, decoded: &Decoded<'_>, event: &ProjectEvent) {
    let id = decoded.id;
    keys.projects.insert(id);
    let user = match event {
        ProjectEvent::MemberAdded(e) => Some(e.member.to.user_id),
        ProjectEvent::MemberRoleChanged(e) => Some(e.member.to.user_id),
        ProjectEvent::MemberRemoved(e) => Some(e.member.from.user_id),
        _ => None,
    };
    keys.members.extend(user.map(|u| (id, u.0)));
    if let ProjectEvent::TeamRoleChanged(e) = event {
        keys.project_teams.insert((id, e.team.to.team_id.0));
    }
}

impl Tables {
    fn create_project(&mut self, decoded: &Decoded<'_>, e: &Created) {
        let logged = decoded.logged;
        self.projects.put(ProjectRow {
            project_id: decoded.id,
            name: e.name.to.clone(),
            description: e.description.to.clone(),
            columns: e.columns.to.clone(),
            labels: e.labels.as_ref().map(|labels| labels.to.clone()).unwrap_or_default(),
            watcher_ids: Vec::new(),
            filters: Vec::new(),
            archived: false,
            created_at: logged.occurred_at,
            created_by: logged.actor_id,
            updated_at: logged.recorded_at,
            version: logged.sequence,
            position: logged.position,
        });
        for member in &e.members.to {
            self.put_member(decoded, *member);
        }
    }

    fn put_member(&mut self, decoded: &Decoded<'_>, member: Member) {
        self.members.put(MemberRow {
            project_id: decoded.id,
            user_id: member.user_id.0,
            role: member.role,
            position: decoded.logged.position,
        });
    }

    pub fn apply_project(&mut self, decoded: &Decoded<'_>, event: &ProjectEvent) -> Result<(), NoRow> {
        let logged = decoded.logged;
        if let ProjectEvent::Created(created) = event {
            self.create_project(decoded, created);
            return Ok(());
        }
        let row = self.projects.get_mut(&decoded.id).ok_or(NoRow("project"))?;
        let mut board = row.board();
        board.apply(event.clone());
        row.name = board.name;
        row.description = board.description;
        row.columns = board.columns;
        row.labels = board.labels;
        row.archived = board.archived;
        row.watcher_ids = board.watchers.iter().map(|user| user.0).collect();
        row.filters = board.filters;
        row.updated_at = logged.recorded_at;
        row.version = logged.sequence;
        row.position = logged.position;
        match event {
            ProjectEvent::MemberAdded(e) => self.put_member(decoded, e.member.to),
            ProjectEvent::MemberRoleChanged(e) => {
                let key = (decoded.id, e.member.to.user_id.0);
                self.members.get_mut(&key).ok_or(NoRow("member"))?.role = e.member.to.role;
            }
            ProjectEvent::MemberRemoved(e) => self.members.remove(&(decoded.id, e.member.from.user_id.0)),
            ProjectEvent::TeamAdded(e) => self.project_teams.put(ProjectTeamRow {
                project_id: decoded.id,
                team_id: e.team.to.team_id.0,
                role: e.team.to.role,
                position: logged.position,
            }),
            ProjectEvent::TeamRoleChanged(e) => {
                let key = (decoded.id, e.team.to.team_id.0);
                self.project_teams.get_mut(&key).ok_or(NoRow("team"))?.role = e.team.to.role;
            }
            ProjectEvent::TeamRemoved(e) => self.project_teams.remove(&(decoded.id, e.team.from.team_id.0)),
            _ => {}
        }
        Ok(())
    }
}
