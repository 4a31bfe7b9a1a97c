//! Server-sent events (WHATWG HTML, 9.2): frames are made once and shared by all who follow.

use axum::body::Bytes;
use serde::Deserialize;
use serde_json::json;
use taskfold_domain::{Subject, SubjectKind};
use taskfold_event_log::{LogError, LoggedEvent};
use uuid::Uuid;

use super::cursor::Cursor;

pub const HEARTBEAT_SECONDS: u64 = 15;
/// For clients that come back although their stream has ended for good.
const RETRY_ENDED_MS: u32 = 10_000;

/// An event as it is sent, or what somebody is told of one.
#[derive(Clone, Debug)]
pub struct Frame {
    pub at: Cursor,
    /// The project, the person, or the team whom it concerns.
    pub room: Uuid,
    pub loses: Loses,
    /// Empty: nothing to send, only to see to.
    pub bytes: Bytes,
}

/// Who may lose sight of the room's project by an event, or is concerned by it otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loses {
    Nobody,
    /// This member of the project.
    Member(Uuid),
    /// Nobody, but this person has become a member, or one in another role.
    Gains(Uuid),
    /// Whoever sees it through this team, which has no role in it any more.
    Team(Uuid),
    /// Nobody, but there are now people who see it through this team, or in another role.
    GainsTeam(Uuid),
    /// Nobody: to the person of the room, it is about their own place in this project.
    Own(Uuid),
    /// The person of the room, who is in a team no more: any project.
    Person,
    /// These people, who are no longer in the team that the room is: any project. The feeder tells each in their own room.
    TeamMembers(Vec<Uuid>),
}

/// What is read of a Change to know for whom it is. The rest is passed through unread.
#[derive(Deserialize)]
struct Head {
    position: i64,
    r#type: String,
    project_id: Option<Uuid>,
    subject: Subject,
}

impl Frame {
    /// From the JSON of a Change, at its position. `None` when it is not the Change of that position.
    pub fn from_json(json: &str, position: i64) -> Option<Self> {
        let head: Head = serde_json::from_str(json).ok()?;
        (head.position == position).then(|| Self::of(head.position, head.project_id, head.subject, &head.r#type, json))
    }

    pub fn from_log(event: &LoggedEvent) -> Result<Self, LogError> {
        let json = event.change_json()?;
        Ok(Self::of(event.position, event.project_id, event.subject()?, &event.event_type, &json))
    }

    /// The same for one person.
    pub fn for_person(&self, user: Uuid) -> Self {
        let loses = match &self.loses {
            Loses::TeamMembers(gone) if gone.contains(&user) => Loses::Person,
            _ => Loses::Nobody,
        };
        Self { room: user, loses, ..self.clone() }
    }

    /// The same, of a project, for one whose own place in it is concerned.
    pub fn for_own(&self, user: Uuid) -> Self {
        Self { room: user, loses: Loses::Own(self.room), ..self.clone() }
    }

    fn of(position: i64, project: Option<Uuid>, subject: Subject, r#type: &str, json: &str) -> Self {
        let loses = match r#type {
            "project.member_removed" => {
                at_pointer(json, "/changes/member/from/user_id").map_or(Loses::Nobody, Loses::Member)
            }
            "project.member_added" | "project.member_role_changed" => {
                at_pointer(json, "/changes/member/to/user_id").map_or(Loses::Nobody, Loses::Gains)
            }
            "project.team_removed" => at_pointer(json, "/changes/team/from/team_id").map_or(Loses::Nobody, Loses::Team),
            "project.team_added" | "project.team_role_changed" => {
                at_pointer(json, "/changes/team/to/team_id").map_or(Loses::Nobody, Loses::GainsTeam)
            }
            _ if subject.kind == SubjectKind::Team => Loses::TeamMembers(who_leaves_a_team(r#type, json)),
            _ => Loses::Nobody,
        };
        let at = Cursor::behind(position);
        Self { at, room: project.unwrap_or(subject.id), loses, bytes: encode(Some(at), r#type, None, json) }
    }
}

fn at_pointer(json: &str, pointer: &str) -> Option<Uuid> {
    let change: serde_json::Value = serde_json::from_str(json).ok()?;
    change.pointer(pointer)?.as_str()?.parse().ok()
}

fn who_leaves_a_team(r#type: &str, json: &str) -> Vec<Uuid> {
    match r#type {
        "team.member_removed" => at_pointer(json, "/changes/member/from/user_id").into_iter().collect(),
        "team.deleted" => {
            let change: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
            let members = change.pointer("/changes/members/from").and_then(|m| m.as_array().cloned());
            let ids = members.into_iter().flatten();
            ids.filter_map(|m| m["user_id"].as_str()?.parse().ok()).collect()
        }
        _ => Vec::new(),
    }
}

/// Frames about the stream itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Where this stream begins.
    Hello { from: Cursor, head: i64, stream: Uuid },
    /// Up to where it has been served.
    Heartbeat { served: Cursor, head: i64 },
    /// It fell behind what is kept in memory, and reads on from the log. Nothing is lost.
    Lagging { served: Cursor, head: i64 },
    /// JetStream is away, or back: events come from the log meanwhile, a little later, and all of them.
    Broker { away: bool, served: Cursor, head: i64 },
    /// Its cursor is ahead of the log.
    Reset { head: i64 },
    /// Its token is at its end, or will be so soon: until then, it can be renewed.
    Reauth { seconds: u64 },
    /// The caller is no member of the project.
    Revoked { project: Uuid },
    /// The server goes away; come back after `retry_ms`.
    Drain { served: Cursor, retry_ms: u32 },
}

impl Notice {
    pub fn encode(&self) -> Bytes {
        let (id, name, retry, data) = match *self {
            Self::Hello { from, head, stream } => (
                Some(from),
                "hello",
                None,
                json!({"position": from.position(), "head": head, "heartbeat_seconds": HEARTBEAT_SECONDS, "stream_id": stream}),
            ),
            Self::Heartbeat { served, head } => (Some(served), "heartbeat", None, json!({"head": head})),
            Self::Lagging { served, head } => {
                (Some(served), "lagging", None, json!({"position": served.position(), "head": head}))
            }
            Self::Broker { away, served, head } => {
                (Some(served), if away { "degraded" } else { "recovered" }, None, json!({"head": head}))
            }
            // No id: the cursor of a client that starts over must not be set behind its back.
            Self::Reset { head } => (None, "reset", Some(RETRY_ENDED_MS), json!({"head": head})),
            Self::Reauth { seconds: 0 } => {
                (None, "reauth", Some(RETRY_ENDED_MS), json!({"expires_in": 0, "reason": "the token has expired"}))
            }
            Self::Reauth { seconds } => {
                (None, "reauth", None, json!({"expires_in": seconds, "reason": "the token expires soon"}))
            }
            Self::Revoked { project } => (None, "revoked", Some(RETRY_ENDED_MS), json!({"project_id": project})),
            Self::Drain { served, retry_ms } => (Some(served), "drain", Some(retry_ms), json!({"retry_ms": retry_ms})),
        };
        encode(id, name, retry, &data.to_string())
    }
}

pub fn encode(id: Option<Cursor>, event: &str, retry: Option<u32>, data: &str) -> Bytes {
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

    fn one(json: &str) -> Frame {
        Frame::from_json(json, 7).expect("a Change")
    }

    fn change(kind: &str, changes: &serde_json::Value) -> String {
        let subject = json!({"kind": "task", "id": PROJECT});
        json!({"position": 7, "type": kind, "version": 1, "project_id": PROJECT, "subject": subject, "changes": changes})
            .to_string()
    }

    #[test]
    fn an_event_has_its_position_its_type_and_its_json() {
        let json = change("task.renamed", &json!({"title": {"from": "a", "to": "line\nbreak\r\n\u{2028}é"}}));
        let frame = one(&json);
        assert_eq!(text(&frame.bytes), format!("id: 7\nevent: task.renamed\ndata: {json}\n\n"));
        assert_eq!((frame.at, frame.loses), (Cursor::behind(7), Loses::Nobody));
    }

    #[test]
    fn json_with_line_breaks_stays_one_event() {
        let bytes = encode(Some(Cursor::behind(1)), "x", None, "{\n \"a\":\r\n 1}");
        assert_eq!(text(&bytes), "id: 1\nevent: x\ndata: {\ndata:  \"a\":\ndata: \ndata:  1}\n\n");
    }

    #[test]
    fn a_removal_names_who_is_removed() {
        let json = change(
            "project.member_removed",
            &json!({"member": {"from": {"user_id": USER, "role": "viewer"}, "to": null}}),
        );
        assert_eq!(one(&json).loses, Loses::Member(USER.parse().expect("a UUID")));
    }

    #[test]
    fn a_team_tells_its_people_and_takes_something_from_those_who_leave() {
        let gone = json!({"members": {"from": [{"user_id": USER, "role": "owner"}], "to": null}});
        let subject = json!({"kind": "team", "id": PROJECT});
        let json =
            json!({"position": 7, "type": "team.deleted", "project_id": null, "subject": subject, "changes": gone});
        let frame = one(&json.to_string());
        let user: Uuid = USER.parse().expect("a UUID");
        assert_eq!((frame.room.to_string(), frame.loses.clone()), (PROJECT.to_owned(), Loses::TeamMembers(vec![user])));
        assert_eq!(frame.for_person(user).loses, Loses::Person);
        assert_eq!(frame.for_person(Uuid::nil()).loses, Loses::Nobody);
    }

    #[test]
    fn what_is_no_change_is_no_frame() {
        for json in ["", "{}", "[1]", "{\"position\": \"7\"}"] {
            assert!(Frame::from_json(json, 7).is_none(), "{json}");
        }
        assert!(Frame::from_json(&change("task.renamed", &json!({})), 8).is_none(), "of another position");
    }

    #[test]
    fn notices_are_as_promised() {
        let hello = Notice::Hello { from: Cursor::behind(5), head: 9, stream: Uuid::nil() }.encode();
        let data = format!("{{\"head\":9,\"heartbeat_seconds\":15,\"position\":5,\"stream_id\":\"{}\"}}", Uuid::nil());
        assert_eq!(text(&hello), format!("id: 5\nevent: hello\ndata: {data}\n\n"));
        assert!(text(&Notice::Reauth { seconds: 0 }.encode()).starts_with("retry: "), "it ends here");
        assert!(!text(&Notice::Reauth { seconds: 60 }.encode()).contains("retry:"), "it goes on");
        let drain = Notice::Drain { served: Cursor::behind(5), retry_ms: 700 }.encode();
        assert_eq!(text(&drain), "retry: 700\nid: 5\nevent: drain\ndata: {\"retry_ms\":700}\n\n");
        assert!(!text(&Notice::Reset { head: 3 }.encode()).contains("id:"));
    }
}
