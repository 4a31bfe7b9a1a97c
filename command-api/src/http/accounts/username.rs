//! Validation of usernames.

use serde::{Deserialize, Serialize};
use taskfold_domain::limits::{USERNAME_MAX_CHARS, USERNAME_MIN_CHARS};
use utoipa::ToSchema;

/// A username: `[a-z0-9-]{2,39}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[a-z0-9-]{2,39}$", example = "ada-lark")]
pub struct Username(String);

impl TryFrom<String> for Username {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let fits = (USERNAME_MIN_CHARS..=USERNAME_MAX_CHARS).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits { Ok(Self(text)) } else { Err("must be 2 to 39 of the characters a-z, 0-9 and -") }
    }
}

impl From<Username> for String {
    fn from(username: Username) -> Self {
        username.0
    }
}
