use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::events::{ColumnDiff, ProjectEvent};
use crate::ids::{ColumnId, FilterId, LabelId, ProjectId, TeamId, UserId};
use crate::merge::Touches;
use crate::rank::Rank;
use crate::role::Role;

/// A project as its events leave it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Project {
    /// How many events it has had.
    pub version: u64,
    /// The version of the last event that edits it.
    pub edited_version: u64,
    board: Option<Box<Board>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Board {
    pub id: ProjectId,
    pub name: String,
    pub description: String,
    /// In their order, archived ones included.
    pub columns: Vec<Column>,
    pub labels: Vec<Label>,
    pub members: Vec<Member>,
    pub archived: bool,
    pub teams: Vec<TeamGrant>,
    /// Who hears of everything here.
    pub watchers: Vec<UserId>,
    pub filters: Vec<SavedFilter>,
}

/// What kind of work a column holds; entering one of another kind starts, completes or reopens a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    Todo,
    InProgress,
    Done,
}

/// What a full column does: says so, or refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WipPolicy {
    #[default]
    Advisory,
    Enforced,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = LoggedColumn)]
pub struct Column {
    pub id: ColumnId,
    pub name: String,
    pub category: Category,
    pub wip_limit: Option<u32>,
    pub wip_policy: WipPolicy,
    pub rank: Rank,
    pub archived: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Label {
    pub id: LabelId,
    /// May be empty: some label by colour alone.
    pub name: String,
    pub color: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = LoggedMember)]
pub struct Member {
    pub user_id: UserId,
    pub role: Role,
}

/// The role that all members of a team have in the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TeamGrant {
    pub team_id: TeamId,
    pub role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Watcher {
    pub user_id: UserId,
}

/// A named filter of the project's tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SavedFilter {
    pub id: FilterId,
    pub name: String,
    /// Query parameters of the project's list of tasks.
    pub query: String,
}

impl Project {
    pub fn board(&self) -> Option<&Board> {
        self.board.as_deref()
    }

    pub fn apply(&mut self, event: ProjectEvent) {
        self.version += 1;
        if event.is_edit() {
            self.edited_version = self.version;
        }
        if let ProjectEvent::Created(created) = event {
            let created = *created;
            self.board = Some(Box::new(Board {
                id: created.id.to,
                name: created.name.to,
                description: created.description.to,
                columns: created.columns.to,
                labels: created.labels.map(|labels| labels.to).unwrap_or_default(),
                members: created.members.to,
                archived: false,
                teams: Vec::new(),
                watchers: Vec::new(),
                filters: Vec::new(),
            }));
        } else if let Some(board) = &mut self.board {
            board.apply(event);
        }
    }
}

impl Board {
    pub fn role_of(&self, user: UserId) -> Option<Role> {
        self.members.iter().find(|m| m.user_id == user).map(|m| m.role)
    }

    pub fn column(&self, id: ColumnId) -> Option<&Column> {
        self.columns.iter().find(|c| c.id == id)
    }

    /// The columns on the board, in order.
    pub fn open_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|c| !c.archived)
    }

    pub fn first_column(&self, category: Category) -> Option<&Column> {
        self.open_columns().find(|c| c.category == category)
    }

    pub fn apply(&mut self, event: ProjectEvent) {
        match event {
            ProjectEvent::Created(_) => {}
            ProjectEvent::Renamed(e) => self.name = e.name.to,
            ProjectEvent::Described(e) => self.description = e.description.to,
            ProjectEvent::ColumnAdded(e) => {
                self.columns.push(e.column.to);
                self.sort_columns();
            }
            ProjectEvent::ColumnRenamed(e)
            | ProjectEvent::ColumnMoved(e)
            | ProjectEvent::ColumnArchived(e)
            | ProjectEvent::ColumnRestored(e)
            | ProjectEvent::WipLimitSet(e) => self.change_column(e.column.to),
            ProjectEvent::ColumnRemoved(e) => self.columns.retain(|c| c.id != e.column.from.id),
            ProjectEvent::LabelAdded(e) => self.labels.push(e.label.to),
            ProjectEvent::LabelChanged(e) => {
                if let Some(label) = self.labels.iter_mut().find(|l| l.id == e.label.to.id) {
                    *label = e.label.to;
                }
            }
            ProjectEvent::LabelRemoved(e) => self.labels.retain(|l| l.id != e.label.from.id),
            ProjectEvent::MemberAdded(e) => self.members.push(e.member.to),
            ProjectEvent::MemberRoleChanged(e) => {
                if let Some(member) = self.members.iter_mut().find(|m| m.user_id == e.member.to.user_id) {
                    *member = e.member.to;
                }
            }
            ProjectEvent::MemberRemoved(e) => self.members.retain(|m| m.user_id != e.member.from.user_id),
            ProjectEvent::Archived(e) | ProjectEvent::Restored(e) => self.archived = e.archived.to,
            ProjectEvent::TeamAdded(e) => self.teams.push(e.team.to),
            ProjectEvent::TeamRoleChanged(e) => {
                if let Some(grant) = self.teams.iter_mut().find(|t| t.team_id == e.team.to.team_id) {
                    *grant = e.team.to;
                }
            }
            ProjectEvent::TeamRemoved(e) => self.teams.retain(|t| t.team_id != e.team.from.team_id),
            ProjectEvent::Watched(e) => self.watchers.push(e.watcher.to.user_id),
            ProjectEvent::Unwatched(e) => self.watchers.retain(|user| *user != e.watcher.from.user_id),
            ProjectEvent::FilterAdded(e) => self.filters.push(e.filter.to),
            ProjectEvent::FilterChanged(e) => {
                if let Some(filter) = self.filters.iter_mut().find(|f| f.id == e.filter.to.id) {
                    *filter = e.filter.to;
                }
            }
            ProjectEvent::FilterRemoved(e) => self.filters.retain(|f| f.id != e.filter.from.id),
        }
    }

    fn change_column(&mut self, diff: ColumnDiff) {
        let Some(column) = self.columns.iter_mut().find(|c| c.id == diff.id) else { return };
        if let Some(name) = diff.name {
            column.name = name;
        }
        if let Some(rank) = diff.rank {
            column.rank = rank;
        }
        if let Some(archived) = diff.archived {
            column.archived = archived;
        }
        if let Some(wip_limit) = diff.wip_limit {
            column.wip_limit = wip_limit;
        }
        if let Some(wip_policy) = diff.wip_policy {
            column.wip_policy = wip_policy;
        }
        self.sort_columns();
    }

    fn sort_columns(&mut self) {
        self.columns.sort_by(|a, b| (&a.rank, a.id).cmp(&(&b.rank, b.id)));
    }
}
