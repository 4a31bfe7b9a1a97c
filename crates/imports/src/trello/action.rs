use serde_json::{Map, Value};
use taskfold_domain::Timestamp;

/// One action of the history. Accessors give `None` for whatever is missing or of another type.
#[derive(Clone, Debug)]
pub struct Action {
    pub id: String,
    pub at: Timestamp,
    pub kind: String,
    /// The member who did it.
    pub author: Option<String>,
    /// The member it was done to, where Trello says so outside of `data`.
    pub member: Option<String>,
    pub data: Value,
}

/// What an action does to the card it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardRole {
    Creates,
    Deletes,
    Touches,
}

impl Action {
    /// Order of the history.
    pub fn key(&self) -> (Timestamp, &str) {
        (self.at, &self.id)
    }

    /// The id of a thing in `data`; 2011 exports say `_id` too.
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

    /// The member a membership action is about.
    pub fn about(&self) -> Option<&str> {
        ["idMember", "idMemberAdded", "idMemberRemoved"]
            .into_iter()
            .find_map(|key| text(&self.data, key))
            .or(self.member.as_deref())
            .or_else(|| self.id_of("member"))
    }

    /// The fields that changed, with their values before.
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

/// A string, or a number as one, and never an empty one: for ids.
pub fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str().filter(|t| !t.is_empty())
}
