//! Commands on a project. They are the request bodies too, so an unknown field is refused.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::values::{Category, WipPolicy};
use crate::empty::Empty;
use crate::events::commands;
use crate::ids::{ColumnId, FilterId, LabelId, ProjectId, TeamId, UserId};
use crate::input::{Color, Description, FilterQuery, LabelName, Name, WipLimit};
use crate::patch;
use crate::role::Role;

commands! {
    /// A command on one project, by its name in JSON.
    ProjectCommand by Role {
        // Anybody may have a project of their own.
        "project.create" Viewer => Create(CreateProject),
        "project.edit" Admin => Edit(EditProject),
        "project.add_column" Admin => AddColumn(AddColumn),
        "project.edit_column" Admin => EditColumn(EditColumn),
        "project.archive_column" Admin => ArchiveColumn(ColumnRef),
        "project.restore_column" Admin => RestoreColumn(ColumnRef),
        "project.remove_column" Admin => RemoveColumn(ColumnRef),
        "project.add_label" Admin => AddLabel(AddLabel),
        "project.edit_label" Admin => EditLabel(EditLabel),
        "project.remove_label" Admin => RemoveLabel(LabelRef),
        "project.set_member" Admin => SetMember(SetMember),
        // Anybody may remove themselves.
        "project.remove_member" Admin => RemoveMember(MemberRef),
        "project.archive" Owner => Archive(Empty),
        "project.restore" Owner => Restore(Empty),
        "project.set_team" Admin => SetTeam(SetTeam),
        "project.remove_team" Admin => RemoveTeam(TeamRef),
        "project.watch" Viewer => Watch(Empty),
        "project.unwatch" Viewer => Unwatch(Empty),
        "project.add_filter" Member => AddFilter(AddFilter),
        "project.edit_filter" Member => EditFilter(EditFilter),
        "project.remove_filter" Member => RemoveFilter(FilterRef),
        // By invitation. The role comes from the invitation with the context: no caller can name it.
        "project.join" Viewer => Join(Empty),
    }
}

/// A new project, its caller the owner. Without `columns` it gets To do, In progress and Done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateProject {
    /// The client's own id (a UUID), for optimistic creation; else the server makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ProjectId>,
    #[schema(min_length = 1, max_length = 500, example = "Website")]
    pub name: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
    /// In their order, 1 to 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<NewColumn>>,
    /// Project the caller may see: its columns, unless some are given here, and its labels are copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_id: Option<ProjectId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewColumn {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ColumnId>,
    #[schema(example = "Review")]
    pub name: Name,
    pub category: Category,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wip_limit: Option<WipLimit>,
    #[serde(default)]
    pub wip_policy: WipPolicy,
}

/// A merge patch (RFC 7396).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditProject {
    #[serde(default, deserialize_with = "patch::not_null", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name: Option<Name>,
    #[serde(default, deserialize_with = "patch::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub description: Option<Option<Description>>,
}

/// A new column behind `after` (null: the first); without `after`, the last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddColumn {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ColumnId>,
    pub name: Name,
    pub category: Category,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wip_limit: Option<WipLimit>,
    #[serde(default)]
    pub wip_policy: WipPolicy,
    #[serde(default, deserialize_with = "patch::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ColumnId>)]
    pub after: Option<Option<ColumnId>>,
}

/// A merge patch of one column; `after` moves it (null: to the first place).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditColumn {
    pub column_id: ColumnId,
    #[serde(flatten)]
    pub change: ColumnPatch,
}

/// A merge patch of one column; `after` moves it (null: to the first place).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnPatch {
    #[serde(default, deserialize_with = "patch::not_null", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name: Option<Name>,
    #[serde(default, deserialize_with = "patch::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 10000)]
    pub wip_limit: Option<Option<WipLimit>>,
    #[serde(default, deserialize_with = "patch::not_null", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub wip_policy: Option<WipPolicy>,
    #[serde(default, deserialize_with = "patch::present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ColumnId>)]
    pub after: Option<Option<ColumnId>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnRef {
    pub column_id: ColumnId,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddLabel {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<LabelId>,
    pub name: LabelName,
    #[schema(example = "#0a7c66")]
    pub color: Color,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditLabel {
    pub label_id: LabelId,
    #[serde(flatten)]
    pub change: LabelPatch,
}

/// A merge patch of one label.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelPatch {
    #[serde(default, deserialize_with = "patch::not_null", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name: Option<LabelName>,
    #[serde(default, deserialize_with = "patch::not_null", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub color: Option<Color>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelRef {
    pub label_id: LabelId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetMember {
    pub user_id: UserId,
    pub role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberRef {
    pub user_id: UserId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetTeam {
    pub team_id: TeamId,
    pub role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamRef {
    pub team_id: TeamId,
}

/// A named filter for all members of the project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddFilter {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<FilterId>,
    #[schema(example = "Urgent and unassigned")]
    pub name: Name,
    /// Query parameters of the project's list of tasks, at most 2,000 characters.
    #[schema(example = "priority=urgent&status=todo")]
    pub query: FilterQuery,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditFilter {
    pub filter_id: FilterId,
    #[serde(flatten)]
    pub change: FilterPatch,
}

/// A merge patch of one filter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FilterPatch {
    #[serde(default, deserialize_with = "patch::not_null", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub name: Option<Name>,
    #[serde(default, deserialize_with = "patch::not_null", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub query: Option<FilterQuery>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FilterRef {
    pub filter_id: FilterId,
}
