//! Who is there, a file each operation.

/// A device says that it is there.
pub mod announce;
/// A device goes.
pub mod leave;
/// Who is there.
pub mod list;

use serde::Deserialize;
use serde::de::Error as _;
use taskfold_domain::ids::ProjectId;
use taskfold_web::{Caller, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;
use super::error::ReadError;
use super::pending;
use taskfold_live::{Away, Key};

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list::handler, announce::handler)).routes(routes!(leave::handler))
}

const LONGEST_ID: usize = 64;

/// What a client calls a device, or a tab. A word of a key in NATS, so without the characters that mean something there.
struct DeviceId(String);

impl DeviceId {
    fn parse(text: String) -> Option<Self> {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        (plain && (1..=LONGEST_ID).contains(&text.len())).then_some(Self(text))
    }

    fn wrong() -> String {
        format!("must be 1 to {LONGEST_ID} letters, digits, `-` and `_`")
    }

    fn key(self, project: ProjectId, caller: &Caller) -> Key {
        Key { project: project.0, user: caller.user_id.0, device: self.0.as_str().into() }
    }
}

/// The position as of which the caller is a member of the project. 404 for others, as for every read.
async fn member_at(app: &App, caller: &Caller, project: ProjectId) -> Result<i64, ReadError> {
    caller.must_write()?;
    caller.must_reach(project)?;
    // Asked together with whoever else sends a heartbeat now: there are many.
    let known = pending::memberships(app, caller.user_id.0, &[project.0]).await?;
    if known.visible.is_empty() {
        return Err(Problem::not_found().into());
    }
    Ok(known.checkpoint)
}

impl<'de> Deserialize<'de> for DeviceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom(Self::wrong()))
    }
}

impl From<Away> for ReadError {
    fn from(away: Away) -> Self {
        tracing::debug!(%away, "a word of presence was not taken");
        Problem::unavailable("Presence").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_a_plain_word() {
        for good in ["a", "0190-x_Y", &"x".repeat(LONGEST_ID)] {
            assert!(DeviceId::parse(good.to_owned()).is_some(), "{good}");
        }
        for bad in ["", "a.b", "a b", "*", ">", "é", "a/b", "a\n", &"x".repeat(LONGEST_ID + 1)] {
            assert!(DeviceId::parse(bad.to_owned()).is_none(), "{bad:?}");
        }
    }
}
