//! Server-sent events (WHATWG HTML, 9.2): frames are made once and shared by all who follow.

use axum::body::Bytes;
use serde::Deserialize;
use serde_json::json;
use taskfold_event_log::{LogError, LoggedEvent};
use uuid::Uuid;

pub const HEARTBEAT_SECONDS: u64 = 15;
/// For clients that come back although their stream has ended for good.
const RETRY_ENDED_MS: u32 = 10_000;

const MEMBER_REMOVED: &str = "project.member_removed";

/// An event as it is sent.
#[derive(Clone, Debug)]
pub struct Frame {
    pub position: i64,
    pub project: Uuid,
    /// The member whom this event removes from the project.
    pub removes: Option<Uuid>,
    pub bytes: Bytes,
}

/// What is read of a Change to know for whom it is. The rest is passed through unread.
#[derive(Deserialize)]
struct Head {
    position: i64,
    r#type: String,
    project_id: Uuid,
}

impl Frame {
    /// From the JSON of a Change; `None` when it is not one.
    pub fn from_json(json: &str) -> Option<Self> {
        let head: Head = serde_json::from_str(json).ok()?;
        let removes = if head.r#type == MEMBER_REMOVED { removed_member(json) } else { None };
        Some(Self::new(head.position, head.project_id, &head.r#type, removes, json))
    }

    pub fn from_log(event: &LoggedEvent) -> Result<Self, LogError> {
        let json = event.change_json()?;
        let removes = if event.event_type == MEMBER_REMOVED { removed_member(&json) } else { None };
        Ok(Self::new(event.position, event.project_id, &event.event_type, removes, &json))
    }

    fn new(position: i64, project: Uuid, r#type: &str, removes: Option<Uuid>, json: &str) -> Self {
        Self { position, project, removes, bytes: encode(Some(position), r#type, None, json) }
    }
}

fn removed_member(json: &str) -> Option<Uuid> {
    let change: serde_json::Value = serde_json::from_str(json).ok()?;
    change.pointer("/changes/member/from/user_id")?.as_str()?.parse().ok()
}

/// Frames about the stream itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Where this stream begins.
    Hello { position: i64, head: i64 },
    /// Up to where it has been served.
    Heartbeat { served: i64, head: i64 },
    /// It fell behind what is kept in memory, and reads on from the log. Nothing is lost.
    Lagging { served: i64, head: i64 },
    /// Its cursor is ahead of the log.
    Reset { head: i64 },
    /// Its token is at its end.
    Reauth,
    /// The caller is no member of the project.
    Revoked { project: Uuid },
    /// The server goes away; come back after `retry_ms`.
    Drain { served: i64, retry_ms: u32 },
}

impl Notice {
    pub fn encode(&self) -> Bytes {
        let (id, name, retry, data) = match *self {
            Self::Hello { position, head } => (
                Some(position),
                "hello",
                None,
                json!({"position": position, "head": head, "heartbeat_seconds": HEARTBEAT_SECONDS}),
            ),
            Self::Heartbeat { served, head } => (Some(served), "heartbeat", None, json!({"head": head})),
            Self::Lagging { served, head } => {
                (Some(served), "lagging", None, json!({"position": served, "head": head}))
            }
            // No id: the cursor of a client that starts over must not be set behind its back.
            Self::Reset { head } => (None, "reset", Some(RETRY_ENDED_MS), json!({"head": head})),
            Self::Reauth => (None, "reauth", Some(RETRY_ENDED_MS), json!({"reason": "the token has expired"})),
            Self::Revoked { project } => (None, "revoked", Some(RETRY_ENDED_MS), json!({"project_id": project})),
            Self::Drain { served, retry_ms } => (Some(served), "drain", Some(retry_ms), json!({"retry_ms": retry_ms})),
        };
        encode(id, name, retry, &data.to_string())
    }
}

fn encode(id: Option<i64>, event: &str, retry: Option<u32>, data: &str) -> Bytes {
    let mut text = String::with_capacity(data.len() + event.len() + 48);
    if let Some(retry) = retry {
        text.push_str(&format!("retry: {retry}\n"));
    }
    if let Some(id) = id {
        text.push_str(&format!("id: {id}\n"));
    }
    text.push_str("event: ");
    text.push_str(event);
    // JSON has line breaks only between its tokens; each line is one `data:`, and the parser joins them again.
    for line in data.split(['\n', '\r']) {
        text.push_str("\ndata: ");
        text.push_str(line);
    }
    text.push_str("\n\n");
    Bytes::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: &str = "01900000-0000-7000-8000-000000000001";
    const USER: &str = "01900000-0000-7000-8000-000000000002";

    fn text(bytes: &Bytes) -> &str {
        std::str::from_utf8(bytes).expect("frames are UTF-8")
    }

    fn change(kind: &str, changes: &serde_json::Value) -> String {
        json!({"position": 7, "type": kind, "version": 1, "project_id": PROJECT, "changes": changes}).to_string()
    }

    #[test]
    fn an_event_has_its_position_its_type_and_its_json() {
        let json = change("task.renamed", &json!({"title": {"from": "a", "to": "line\nbreak\r\n\u{2028}é"}}));
        let frame = Frame::from_json(&json).expect("a Change");
        assert_eq!(text(&frame.bytes), format!("id: 7\nevent: task.renamed\ndata: {json}\n\n"));
        assert_eq!((frame.position, frame.removes), (7, None));
    }

    #[test]
    fn json_with_line_breaks_stays_one_event() {
        let bytes = encode(Some(1), "x", None, "{\n \"a\":\r\n 1}");
        assert_eq!(text(&bytes), "id: 1\nevent: x\ndata: {\ndata:  \"a\":\ndata: \ndata:  1}\n\n");
    }

    #[test]
    fn a_removal_names_who_is_removed() {
        let json =
            change(MEMBER_REMOVED, &json!({"member": {"from": {"user_id": USER, "role": "viewer"}, "to": null}}));
        assert_eq!(Frame::from_json(&json).expect("a Change").removes, Some(USER.parse().expect("a UUID")));
    }

    #[test]
    fn what_is_no_change_is_no_frame() {
        for json in ["", "{}", "[1]", "{\"position\": \"7\"}"] {
            assert!(Frame::from_json(json).is_none(), "{json}");
        }
    }

    #[test]
    fn notices_are_as_promised() {
        let hello = Notice::Hello { position: 5, head: 9 }.encode();
        assert_eq!(text(&hello), "id: 5\nevent: hello\ndata: {\"head\":9,\"heartbeat_seconds\":15,\"position\":5}\n\n");
        let drain = Notice::Drain { served: 5, retry_ms: 700 }.encode();
        assert_eq!(text(&drain), "retry: 700\nid: 5\nevent: drain\ndata: {\"retry_ms\":700}\n\n");
        assert!(!text(&Notice::Reset { head: 3 }.encode()).contains("id:"));
    }
}
