use serde::{Deserialize, Serialize};
use taskfold_domain::ids::ProjectId;
use utoipa::ToSchema;

/// What a token lets its holder do, at most: what the person behind it may not do, it cannot do either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    pub access: Access,
    /// Of this project alone; `None`: of all.
    pub project: Option<ProjectId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Reads and streams.
    Read,
    /// Commands too.
    Write,
}

impl Scope {
    /// All that the person may do: sessions, and tokens of an outside issuer.
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
