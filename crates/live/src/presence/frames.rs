use std::collections::BTreeSet;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::roster::{Change, Kind};
use crate::frame::encode;

/// Frames of about this many bytes together leave in one piece.
const PIECE: usize = 16 * 1024;

/// The data of `presence.joined`, `presence.focused` and `presence.left`: all there is to say of the person, so that the latest
/// is enough. As in Changes, people are ids.
#[derive(Serialize, ToSchema)]
pub struct PresenceFrame {
    project_id: Uuid,
    user_id: Uuid,
    /// The tasks that their devices look at.
    focus: BTreeSet<Uuid>,
    /// How many devices they are there with; a change of that alone is not told.
    devices: usize,
    /// Since when it is so.
    at: DateTime<Utc>,
}

/// Without `id:`, because they move no cursor.
pub fn pieces(project: Uuid, changes: &[Change]) -> Vec<Bytes> {
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    for change in changes {
        let name = match change.kind {
            Kind::Joined => "presence.joined",
            Kind::Focused => "presence.focused",
            Kind::Left => "presence.left",
        };
        let at = DateTime::from_timestamp_millis(change.view.at).unwrap_or_default();
        let focus = change.view.focus.clone();
        let devices = change.view.devices;
        let data = PresenceFrame { project_id: project, user_id: change.user, focus, devices, at };
        let frame = encode(None, name, None, &serde_json::to_string(&data).unwrap_or_default());
        match pieces.last_mut().filter(|piece| piece.len() + frame.len() <= PIECE) {
            Some(piece) => piece.extend_from_slice(&frame),
            None => pieces.push(frame.into()),
        }
    }
    pieces.into_iter().map(Bytes::from).collect()
}

/// The stream has not been told all of the project: to be read again.
pub fn stale(project: Uuid) -> Bytes {
    encode(None, "presence.stale", None, &json!({"project_id": project}).to_string())
}

#[cfg(test)]
mod tests {
    use super::super::roster::View;
    use super::*;

    #[test]
    fn frames_say_who_and_what_and_have_no_id() {
        let (project, user, task) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let view = View { focus: [task].into(), devices: 2, at: 1_700_000_000_123 };
        let change = Change { user, kind: Kind::Focused, view };
        let expected = format!(
            "event: presence.focused\ndata: {{\"project_id\":\"{project}\",\"user_id\":\"{user}\",\
             \"focus\":[\"{task}\"],\"devices\":2,\"at\":\"2023-11-14T22:13:20.123Z\"}}\n\n"
        );
        assert_eq!(pieces(project, std::slice::from_ref(&change)), [Bytes::from(expected)]);
        let many = pieces(project, &vec![change; 1000]);
        assert!(many.len() > 5 && many.iter().all(|piece| piece.len() <= PIECE && piece.ends_with(b"\n\n")));
    }
}
