//! Actions of the history.

use serde_json::{Map, Value};
use taskfold_domain::Timestamp;

/// An action of the history. Accessors return `None` for a value that is missing or of another type.
#[derive(Clone, Debug)]
pub struct Action {
    pub id: String,
    pub at: Timestamp,
    pub kind: String,
    /// Id of the member who acted.
    pub author: Option<String>,
    /// Id of the member to whom it happened, if it is outside of `data`.
    pub member: Option<String>,
    pub data: Value,
}

/// Effect of an action on the card that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardRole {
    Creates,
    Deletes,
    Touches,
}

impl Action {
    /// Sort key of the history.
    pub fn key(&self) -> (Timestamp, &str) {
        (self.at, &self.id)
    }

    /// Id of an object in `data`. Exports of 2011 have `_id` too.
    pub fn id_of(&self, thing: &str) -> Option<&str> {
        let thing = self.data.get(thing)?;
        text(thing, "id").or_else(|| text(thing, "_id"))
    }

    pub fn card(&self) -> Option<&str> {
        self.id_of("card").or_else(|| text(&self.data, "idCard"))
    }

    pub fn list(&self) -> Option<&str> {
        self.id_of("list")
    }

    /// Id of the member that a membership action is about.
    pub fn about(&self) -> Option<&str> {
        ["idMember", "idMemberAdded", "idMemberRemoved"]
            .into_iter()
            .find_map(|key| text(&self.data, key))
            .or(self.member.as_deref())
            .or_else(|| self.id_of("member"))
    }

    /// Fields that changed, with their previous values.
    pub fn old(&self) -> Option<&Map<String, Value>> {
        self.data.get("old")?.as_object()
    }

    pub fn text_of(&self, thing: &str, field: &str) -> Option<&str> {
        self.data.get(thing)?.get(field)?.as_str()
    }

    pub fn value_of(&self, thing: &str, field: &str) -> Option<&Value> {
        self.data.get(thing)?.get(field)
    }

    pub fn card_role(&self) -> CardRole {
        match self.kind.as_str() {
            "createCard" | "copyCard" | "moveCardToBoard" | "convertToCardFromCheckItem" | "emailCard" => {
                CardRole::Creates
            }
            "deleteCard" | "moveCardFromBoard" => CardRole::Deletes,
            _ => CardRole::Touches,
        }
    }

    pub fn is_comment(&self) -> bool {
        matches!(self.kind.as_str(), "commentCard" | "copyCommentCard")
    }
}

/// A string that is not empty.
pub fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str().filter(|t| !t.is_empty())
}
