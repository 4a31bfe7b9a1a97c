//! Events of a project. Their payloads are what callers see as `changes` and what the log keeps.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::values::{Column, Label, Member, SavedFilter, TeamGrant, WipPolicy};
use crate::creation::Creation;
use crate::delta::{Added, Delta, Removed};
use crate::events::events;
use crate::ids::{ColumnId, ProjectId};
use crate::merge::{Touch, Touches, field, member};
use crate::patch;
use crate::rank::Rank;
use crate::role::{Holder, Role, RoleChange};
use crate::watching::{Unwatched, Watched};

events! {
    /// An event of a project.
    ProjectEvent {
        "project.created" v "1" => Created(Box<Created>),
        "project.renamed" v "1" => Renamed(Renamed),
        "project.described" v "1" => Described(Described),
        "project.column_added" v "1" => ColumnAdded(ColumnAdded),
        "project.column_renamed" v "1" => ColumnRenamed(ColumnChanged),
        "project.column_moved" v "1" => ColumnMoved(ColumnChanged),
        "project.column_archived" v "1" => ColumnArchived(ColumnChanged),
        "project.column_restored" v "1" => ColumnRestored(ColumnChanged),
        "project.column_removed" v "1" => ColumnRemoved(ColumnRemoved),
        "project.wip_limit_set" v "1" => WipLimitSet(ColumnChanged),
        "project.label_added" v "1" => LabelAdded(LabelAdded),
        "project.label_changed" v "1" => LabelChanged(LabelChanged),
        "project.label_removed" v "1" => LabelRemoved(LabelRemoved),
        "project.member_added" v "1" => MemberAdded(MemberAdded),
        "project.member_role_changed" v "1" => MemberRoleChanged(MemberRoleChanged),
        "project.member_removed" v "1" => MemberRemoved(MemberRemoved),
        "project.archived" v "1" => Archived(Archived),
        "project.restored" v "1" => Restored(Archived),
        "project.team_added" v "1" => TeamAdded(TeamAdded),
        "project.team_role_changed" v "1" => TeamRoleChanged(TeamRoleChanged),
        "project.team_removed" v "1" => TeamRemoved(TeamRemoved),
        "project.watched" v "1" => Watched(Watched),
        "project.unwatched" v "1" => Unwatched(Unwatched),
        "project.filter_added" v "1" => FilterAdded(FilterAdded),
        "project.filter_changed" v "1" => FilterChanged(FilterChanged),
        "project.filter_removed" v "1" => FilterRemoved(FilterRemoved),
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProjectCreated)]
pub struct Created {
    pub id: Added<ProjectId>,
    #[serde(serialize_with = "crate::words::serialize")]
    pub name: Added<String>,
    #[serde(serialize_with = "crate::words::serialize")]
    pub description: Added<String>,
    pub columns: Added<Vec<Column>>,
    pub members: Added<Vec<Member>>,
    /// Present only where the project was created from a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Added<Vec<Label>>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProjectRenamed)]
pub struct Renamed {
    #[serde(serialize_with = "crate::words::serialize")]
    pub name: Delta<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProjectDescribed)]
pub struct Described {
    #[serde(serialize_with = "crate::words::serialize")]
    pub description: Delta<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProjectColumnAdded)]
pub struct ColumnAdded {
    pub column: Added<Column>,
}

/// Id of a column, and only the fields that change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ColumnDiff {
    pub id: ColumnId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(serialize_with = "crate::words::serialize")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<Rank>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
    #[serde(default, deserialize_with = "patch::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>)]
    pub wip_limit: Option<Option<u32>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wip_policy: Option<WipPolicy>,
}

impl ColumnDiff {
    pub fn of(id: ColumnId) -> Self {
        Self { id, name: None, rank: None, archived: None, wip_limit: None, wip_policy: None }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProjectColumnChanged)]
pub struct ColumnChanged {
    pub column: Delta<ColumnDiff>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProjectColumnRemoved)]
pub struct ColumnRemoved {
    pub column: Removed<Column>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProjectLabelAdded)]
pub struct LabelAdded {
    pub label: Added<Label>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProjectLabelChanged)]
pub struct LabelChanged {
    pub label: Delta<Label>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProjectLabelRemoved)]
pub struct LabelRemoved {
    pub label: Removed<Label>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProjectMemberAdded)]
pub struct MemberAdded {
    pub member: Added<Member>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProjectMemberRoleChanged)]
pub struct MemberRoleChanged {
    pub member: Delta<Member>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProjectMemberRemoved)]
pub struct MemberRemoved {
    pub member: Removed<Member>,
    /// Present if the member left on their own: they come back only by an invitation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Added<bool>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProjectArchived)]
pub struct Archived {
    pub archived: Delta<bool>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProjectTeamAdded)]
pub struct TeamAdded {
    pub team: Added<TeamGrant>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProjectTeamRoleChanged)]
pub struct TeamRoleChanged {
    pub team: Delta<TeamGrant>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProjectTeamRemoved)]
pub struct TeamRemoved {
    pub team: Removed<TeamGrant>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProjectFilterAdded)]
pub struct FilterAdded {
    pub filter: Added<SavedFilter>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProjectFilterChanged)]
pub struct FilterChanged {
    pub filter: Delta<SavedFilter>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ProjectFilterRemoved)]
pub struct FilterRemoved {
    pub filter: Removed<SavedFilter>,
}

impl Touches for ProjectEvent {
    fn touches(&self) -> Vec<Touch> {
        match self {
            Self::Created(_) => field("id"),
            Self::Renamed(_) => field("name"),
            Self::Described(_) => field("description"),
            Self::ColumnAdded(e) => member("columns", e.column.to.id.0),
            Self::ColumnRenamed(e)
            | Self::ColumnMoved(e)
            | Self::ColumnArchived(e)
            | Self::ColumnRestored(e)
            | Self::WipLimitSet(e) => member("columns", e.column.to.id.0),
            Self::ColumnRemoved(e) => member("columns", e.column.from.id.0),
            Self::LabelAdded(e) => member("labels", e.label.to.id.0),
            Self::LabelChanged(e) => member("labels", e.label.to.id.0),
            Self::LabelRemoved(e) => member("labels", e.label.from.id.0),
            Self::MemberAdded(e) => member("members", e.member.to.user_id.0),
            Self::MemberRoleChanged(e) => member("members", e.member.to.user_id.0),
            Self::MemberRemoved(e) => member("members", e.member.from.user_id.0),
            Self::Archived(_) | Self::Restored(_) => field("archived"),
            Self::TeamAdded(e) => member("teams", e.team.to.team_id.0),
            Self::TeamRoleChanged(e) => member("teams", e.team.to.team_id.0),
            Self::TeamRemoved(e) => member("teams", e.team.from.team_id.0),
            Self::Watched(_) | Self::Unwatched(_) => vec![],
            Self::FilterAdded(e) => member("filters", e.filter.to.id.0),
            Self::FilterChanged(e) => member("filters", e.filter.to.id.0),
            Self::FilterRemoved(e) => member("filters", e.filter.from.id.0),
        }
    }
}

impl ProjectEvent {
    /// Changes of roles in the project.
    pub fn role_changes(&self) -> Vec<RoleChange<Holder, Role>> {
        let person = |member: &Member| Holder::Person(member.user_id);
        let team = |grant: &TeamGrant| Holder::Team(grant.team_id);
        match self {
            Self::Created(e) => e.members.to.iter().map(|m| RoleChange::added(person(m), m.role)).collect(),
            Self::MemberAdded(e) => vec![RoleChange::added(person(&e.member.to), e.member.to.role)],
            Self::MemberRoleChanged(MemberRoleChanged { member: Delta { from, to } }) => {
                vec![RoleChange::changed(person(to), from.role, to.role)]
            }
            Self::MemberRemoved(e) => vec![RoleChange::removed(person(&e.member.from), e.member.from.role)],
            Self::TeamAdded(e) => vec![RoleChange::added(team(&e.team.to), e.team.to.role)],
            Self::TeamRoleChanged(TeamRoleChanged { team: Delta { from, to } }) => {
                vec![RoleChange::changed(team(to), from.role, to.role)]
            }
            Self::TeamRemoved(e) => vec![RoleChange::removed(team(&e.team.from), e.team.from.role)],
            Self::Renamed(_)
            | Self::Described(_)
            | Self::ColumnAdded(_)
            | Self::ColumnRenamed(_)
            | Self::ColumnMoved(_)
            | Self::ColumnArchived(_)
            | Self::ColumnRestored(_)
            | Self::ColumnRemoved(_)
            | Self::WipLimitSet(_)
            | Self::LabelAdded(_)
            | Self::LabelChanged(_)
            | Self::LabelRemoved(_)
            | Self::Archived(_)
            | Self::Restored(_)
            | Self::Watched(_)
            | Self::Unwatched(_)
            | Self::FilterAdded(_)
            | Self::FilterChanged(_)
            | Self::FilterRemoved(_) => vec![],
        }
    }
}

impl ProjectEvent {
    /// Returns whether somebody loses a role by the event, and may lose access to a project with it.
    pub fn ends_access(&self) -> bool {
        self.role_changes().iter().any(RoleChange::is_removal)
    }

    /// Column or label that the event removes.
    pub(super) fn removes(&self) -> Option<Uuid> {
        match self {
            Self::ColumnRemoved(e) => Some(e.column.from.id.0),
            Self::LabelRemoved(e) => Some(e.label.from.id.0),
            Self::Created(_)
            | Self::Renamed(_)
            | Self::Described(_)
            | Self::ColumnAdded(_)
            | Self::ColumnRenamed(_)
            | Self::ColumnMoved(_)
            | Self::ColumnArchived(_)
            | Self::ColumnRestored(_)
            | Self::WipLimitSet(_)
            | Self::LabelAdded(_)
            | Self::LabelChanged(_)
            | Self::MemberAdded(_)
            | Self::MemberRoleChanged(_)
            | Self::MemberRemoved(_)
            | Self::Archived(_)
            | Self::Restored(_)
            | Self::TeamAdded(_)
            | Self::TeamRoleChanged(_)
            | Self::TeamRemoved(_)
            | Self::Watched(_)
            | Self::Unwatched(_)
            | Self::FilterAdded(_)
            | Self::FilterChanged(_)
            | Self::FilterRemoved(_) => None,
        }
    }

    pub fn creates(&self) -> Creation {
        match self {
            Self::Created(_) => Creation::Aggregate,
            Self::ColumnAdded(e) => Creation::Inside(e.column.to.id.0),
            Self::LabelAdded(e) => Creation::Inside(e.label.to.id.0),
            Self::MemberAdded(e) => Creation::Inside(e.member.to.user_id.0),
            Self::TeamAdded(e) => Creation::Inside(e.team.to.team_id.0),
            Self::FilterAdded(e) => Creation::Inside(e.filter.to.id.0),
            Self::Renamed(_)
            | Self::Described(_)
            | Self::ColumnRenamed(_)
            | Self::ColumnMoved(_)
            | Self::ColumnArchived(_)
            | Self::ColumnRestored(_)
            | Self::ColumnRemoved(_)
            | Self::WipLimitSet(_)
            | Self::LabelChanged(_)
            | Self::LabelRemoved(_)
            | Self::MemberRoleChanged(_)
            | Self::MemberRemoved(_)
            | Self::Archived(_)
            | Self::Restored(_)
            | Self::TeamRoleChanged(_)
            | Self::TeamRemoved(_)
            | Self::Watched(_)
            | Self::Unwatched(_)
            | Self::FilterChanged(_)
            | Self::FilterRemoved(_) => Creation::Nothing,
        }
    }
}
