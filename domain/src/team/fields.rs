//! Fields of a team, and all that an event does to them. Decisions and the read model fold events with the same code.

use serde::{Deserialize, Serialize};

use super::events::{Created, TeamEvent};

/// Fields of a team, but for who is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fields {
    pub name: String,
}

impl Fields {
    pub fn new(created: &Created) -> Self {
        Self { name: created.name.to.clone() }
    }

    pub fn apply(&mut self, event: &TeamEvent) {
        match event {
            TeamEvent::Renamed(e) => self.name.clone_from(&e.name.to),
            TeamEvent::Created(_)
            | TeamEvent::MemberAdded(_)
            | TeamEvent::MemberRoleChanged(_)
            | TeamEvent::MemberRemoved(_)
            | TeamEvent::Deleted(_) => {}
        }
    }
}
