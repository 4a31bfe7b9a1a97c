//! What may be asked of a project. These are the request bodies too, so an unknown field is refused.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::state::{Category, WipPolicy};
use crate::ids::{ColumnId, LabelId, ProjectId, UserId};
use crate::input::{Color, Description, LabelName, Name, WipLimit};
use crate::patch;
use crate::role::Role;
use crate::task::commands::Bare;

/// A command on one project, by the name the offline queue gives it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum ProjectCommand {
    #[serde(rename = "project.create")]
    Create(CreateProject),
    #[serde(rename = "project.edit")]
    Edit(EditProject),
    #[serde(rename = "project.add_column")]
    AddColumn(AddColumn),
    #[serde(rename = "project.edit_column")]
    EditColumn(EditColumn),
    #[serde(rename = "project.archive_column")]
    ArchiveColumn(WhichColumn),
    #[serde(rename = "project.restore_column")]
    RestoreColumn(WhichColumn),
    #[serde(rename = "project.remove_column")]
    RemoveColumn(WhichColumn),
    #[serde(rename = "project.add_label")]
    AddLabel(AddLabel),
    #[serde(rename = "project.edit_label")]
    EditLabel(EditLabel),
    #[serde(rename = "project.remove_label")]
    RemoveLabel(WhichLabel),
    #[serde(rename = "project.set_member")]
    SetMember(SetMember),
    #[serde(rename = "project.remove_member")]
    RemoveMember(WhichMember),
    #[serde(rename = "project.archive")]
    Archive(Bare),
    #[serde(rename = "project.restore")]
    Restore(Bare),
    /// By invitation. The role is the invitation's, which comes in with the context: no caller can name it.
    #[serde(rename = "project.join")]
    Join(Bare),
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
pub struct WhichColumn {
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
pub struct WhichLabel {
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
pub struct WhichMember {
    pub user_id: UserId,
}
