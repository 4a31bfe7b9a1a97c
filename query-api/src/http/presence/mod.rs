//! Presence in a project, one operation per file.

/// Heartbeat of a device.
pub mod announce;
/// Removal of a device.
pub mod leave;
/// List of the users who are present.
pub mod list;

use serde::Deserialize;
use serde::de::Error as _;
use taskfold_domain::ids::ProjectId;
use taskfold_domain::limits::DEVICE_ID_CHARS;
use taskfold_web::{Caller, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;
use super::error::ReadError;
use super::pending;
use taskfold_live::{DeviceKey, PresenceUnavailable};

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list::handler, announce::handler)).routes(routes!(leave::handler))
}

/// Name that a client chooses for a device or a tab. It is a token of a NATS key, without characters that have a
/// meaning there.
struct DeviceId(String);

impl DeviceId {
    fn parse(text: String) -> Option<Self> {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        (plain && (1..=DEVICE_ID_CHARS).contains(&text.len())).then_some(Self(text))
    }

    fn requirement() -> String {
        format!("must be 1 to {DEVICE_ID_CHARS} letters, digits, `-` and `_`")
    }

    fn key(self, project: ProjectId, caller: &Caller) -> DeviceKey {
        DeviceKey { project: project.0, user: caller.user_id.0, device: self.0.as_str().into() }
    }
}

/// Position as of which the caller is a member of the project. 404 for others, as for every read.
async fn member_at(app: &App, caller: &Caller, project: ProjectId) -> Result<i64, ReadError> {
    // Shares its query with all heartbeats that arrive at the same time: there are many.
    Ok(pending::require_member(app, caller, project).await?.checkpoint)
}

impl<'de> Deserialize<'de> for DeviceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom(Self::requirement()))
    }
}

impl From<PresenceUnavailable> for ReadError {
    fn from(error: PresenceUnavailable) -> Self {
        tracing::debug!(%error, "a presence write failed");
        Problem::unavailable("Presence").into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_ids_are_plain_tokens() {
        for good in ["a", "0190-x_Y", &"x".repeat(DEVICE_ID_CHARS)] {
            assert!(DeviceId::parse(good.to_owned()).is_some(), "{good}");
        }
        for bad in ["", "a.b", "a b", "*", ">", "é", "a/b", "a\n", &"x".repeat(DEVICE_ID_CHARS + 1)] {
            assert!(DeviceId::parse(bad.to_owned()).is_none(), "{bad:?}");
        }
    }
}
