//! Permissions of tokens.

use serde::{Deserialize, Serialize};
use taskfold_domain::ids::ProjectId;
use utoipa::ToSchema;

/// The permissions of a token. They restrict those of its user, and never extend them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    pub access: Access,
    /// Only this project; `None`: all projects.
    pub project: Option<ProjectId>,
}

/// Access of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Reads and streams.
    Read,
    /// Also commands.
    Write,
}

impl Scope {
    /// All permissions of the user: sessions, and tokens of an external issuer.
    pub const FULL: Self = Self { access: Access::Write, project: None };

    pub fn writes(self) -> bool {
        self.access == Access::Write
    }

    pub fn reaches(self, project: ProjectId) -> bool {
        self.project.is_none_or(|only| only == project)
    }
}

impl Access {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Read, Self::Write].into_iter().find(|access| access.as_str() == word)
    }
}
