//! Validation of usernames.

use serde::{Deserialize, Serialize};
use taskfold_domain::limits::{USERNAME_MAX_CHARS, USERNAME_MIN_CHARS};
use utoipa::ToSchema;

/// Names that others would take for the operator, for the program or for everybody.
const RESERVED: [&str; 24] = [
    "abuse",
    "admin",
    "administrator",
    "all",
    "anonymous",
    "api",
    "everybody",
    "everyone",
    "help",
    "here",
    "hostmaster",
    "me",
    "nobody",
    "null",
    "operator",
    "postmaster",
    "root",
    "security",
    "staff",
    "support",
    "system",
    "taskfold",
    "undefined",
    "webmaster",
];

/// A username: `[a-z0-9-]{2,39}`, and neither a reserved name nor a UUID, which operators would take for an id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[a-z0-9-]{2,39}$", example = "ada-lark")]
pub struct Username(String);

impl TryFrom<String> for Username {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let fits = (USERNAME_MIN_CHARS..=USERNAME_MAX_CHARS).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !fits {
            Err("must be 2 to 39 of the characters a-z, 0-9 and -")
        } else if RESERVED.contains(&text.as_str()) || uuid::Uuid::try_parse(&text).is_ok() {
            Err("must not be a reserved name")
        } else {
            Ok(Self(text))
        }
    }
}

impl Username {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Username> for String {
    fn from(username: Username) -> Self {
        username.0
    }
}
