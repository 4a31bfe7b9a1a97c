use taskfold_domain::ProjectEvent;
use taskfold_domain::project::events::Created;
use taskfold_domain::project::{Member, TeamGrant};

use super::memberships::{self, Channel};
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
    let team = match event {
        ProjectEvent::TeamRoleChanged(e) => Some(e.team.to.team_id),
        ProjectEvent::TeamRemoved(e) => Some(e.team.from.team_id),
        _ => None,
    };
    keys.project_teams.extend(team.map(|team| (id, team.0)));
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
            from_position: decoded.logged.position,
        });
    }

    pub fn apply_project(&mut self, decoded: &Decoded<'_>, event: &ProjectEvent) -> Result<(), NoRow> {
        let logged = decoded.logged;
        if let ProjectEvent::Created(created) = event {
            self.create_project(decoded, created);
            return Ok(());
        }
        self.projects.get(&decoded.id).ok_or(NoRow("project"))?;
        // What may fail comes first, so that an event is applied as a whole or not at all.
        self.change_people(decoded, event)?;
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
        Ok(())
    }

    /// Who is in the project, and who is told of it on the channel `me`.
    fn change_people(&mut self, decoded: &Decoded<'_>, event: &ProjectEvent) -> Result<(), NoRow> {
        let (id, position) = (decoded.id, decoded.logged.position);
        let (members, past_members) = (&mut self.members, &mut self.past_members);
        let (teams, past_teams) = (&mut self.project_teams, &mut self.past_project_teams);
        let told = match event {
            ProjectEvent::MemberAdded(e) => {
                self.put_member(decoded, e.member.to);
                Channel::Person(e.member.to.user_id.0)
            }
            ProjectEvent::MemberRoleChanged(e) => {
                let Member { user_id, role } = e.member.to;
                memberships::change(members, past_members, &(id, user_id.0), role, position)?;
                Channel::Person(user_id.0)
            }
            ProjectEvent::MemberRemoved(e) => {
                let user = e.member.from.user_id.0;
                memberships::end(members, past_members, &(id, user), position)?;
                Channel::Person(user)
            }
            ProjectEvent::TeamAdded(e) => {
                let TeamGrant { team_id, role } = e.team.to;
                let team_id = team_id.0;
                teams.put(ProjectTeamRow { project_id: id, team_id, role, position, from_position: position });
                Channel::Team(team_id)
            }
            ProjectEvent::TeamRoleChanged(e) => {
                let TeamGrant { team_id, role } = e.team.to;
                memberships::change(teams, past_teams, &(id, team_id.0), role, position)?;
                Channel::Team(team_id.0)
            }
            ProjectEvent::TeamRemoved(e) => {
                let team = e.team.from.team_id.0;
                memberships::end(teams, past_teams, &(id, team), position)?;
                Channel::Team(team)
            }
            ProjectEvent::Created(_)
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
            | ProjectEvent::Archived(_)
            | ProjectEvent::Restored(_)
            | ProjectEvent::Watched(_)
            | ProjectEvent::Unwatched(_)
            | ProjectEvent::FilterAdded(_)
            | ProjectEvent::FilterChanged(_)
            | ProjectEvent::FilterRemoved(_) => return Ok(()),
        };
        self.tell_channel(decoded, told);
        Ok(())
    }
}
