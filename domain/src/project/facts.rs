//! Facts that are looked up before a project command is decided.

use super::commands::ProjectCommand;
use crate::ids::{ColumnId, ProjectId, TeamId};

/// Facts about other things that a project command is decided on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequiredFacts {
    /// A team that is granted a role.
    pub team: Option<TeamId>,
    /// A project whose structure is copied.
    pub template: Option<ProjectId>,
    /// A column that must hold no tasks.
    pub empty_column: Option<ColumnId>,
}

impl ProjectCommand {
    pub fn required_facts(&self) -> RequiredFacts {
        let none = RequiredFacts::default();
        match self {
            Self::Create(create) => RequiredFacts { template: create.template_id, ..none },
            Self::SetTeam(set) => RequiredFacts { team: Some(set.team_id), ..none },
            Self::RemoveColumn(column) => RequiredFacts { empty_column: Some(column.column_id), ..none },
            Self::Edit(_)
            | Self::AddColumn(_)
            | Self::EditColumn(_)
            | Self::ArchiveColumn(_)
            | Self::RestoreColumn(_)
            | Self::AddLabel(_)
            | Self::EditLabel(_)
            | Self::RemoveLabel(_)
            | Self::SetMember(_)
            | Self::RemoveMember(_)
            | Self::Archive(_)
            | Self::Restore(_)
            | Self::RemoveTeam(_)
            | Self::Watch(_)
            | Self::Unwatch(_)
            | Self::AddFilter(_)
            | Self::EditFilter(_)
            | Self::RemoveFilter(_)
            | Self::Join(_) => none,
        }
    }
}
