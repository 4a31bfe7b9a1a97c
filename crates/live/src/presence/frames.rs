//! Frames of presence changes. They have no `id:`, because they do not advance the cursor.

use std::collections::BTreeSet;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::state::{ChangeKind, PresenceChange};
use crate::frame::encode;

/// Size up to which frames are joined into one chunk.
const CHUNK_SIZE: usize = 16 * 1024;

/// Data of `presence.joined`, `presence.focused` and `presence.left`: the whole presence of one user, so that the
/// latest frame is sufficient. Users are ids, as in Changes.
#[derive(Serialize, ToSchema)]
pub struct PresenceFrame {
    project_id: Uuid,
    user_id: Uuid,
    /// Tasks that the user's devices show.
    focus: BTreeSet<Uuid>,
    /// Number of devices of the user. A change of this number alone is not sent.
    devices: usize,
    /// Time of this change.
    at: DateTime<Utc>,
}

/// Encodes the changes of a project into chunks.
pub fn chunks(project: Uuid, changes: &[PresenceChange]) -> Vec<Bytes> {
    let mut chunks: Vec<Vec<u8>> = Vec::new();
    for change in changes {
        let name = match change.kind {
            ChangeKind::Joined => "presence.joined",
            ChangeKind::Focused => "presence.focused",
            ChangeKind::Left => "presence.left",
        };
        let at = DateTime::from_timestamp_millis(change.view.at).unwrap_or_default();
        let focus = change.view.focus.clone();
        let devices = change.view.devices;
        let data = PresenceFrame { project_id: project, user_id: change.user, focus, devices, at };
        let frame = encode(None, name, None, &serde_json::to_string(&data).unwrap_or_default());
        match chunks.last_mut().filter(|chunk| chunk.len() + frame.len() <= CHUNK_SIZE) {
            Some(chunk) => chunk.extend_from_slice(&frame),
            None => chunks.push(frame.into()),
        }
    }
    chunks.into_iter().map(Bytes::from).collect()
}

/// Frame for a stream that missed changes of the project: its client must read the presence again.
pub fn stale(project: Uuid) -> Bytes {
    encode(None, "presence.stale", None, &json!({"project_id": project}).to_string())
}

#[cfg(test)]
mod tests {
    use super::super::state::UserView;
    use super::*;

    #[test]
    fn frames_have_the_whole_view_and_no_id() {
        let (project, user, task) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let view = UserView { focus: [task].into(), devices: 2, at: 1_700_000_000_123 };
        let change = PresenceChange { user, kind: ChangeKind::Focused, view };
        let expected = format!(
            "event: presence.focused\ndata: {{\"project_id\":\"{project}\",\"user_id\":\"{user}\",\
             \"focus\":[\"{task}\"],\"devices\":2,\"at\":\"2023-11-14T22:13:20.123Z\"}}\n\n"
        );
        assert_eq!(chunks(project, std::slice::from_ref(&change)), [Bytes::from(expected)]);
        let many = chunks(project, &vec![change; 1000]);
        assert!(many.len() > 5 && many.iter().all(|chunk| chunk.len() <= CHUNK_SIZE && chunk.ends_with(b"\n\n")));
    }
}
