//! Server-sent events (WHATWG HTML, 9.2): frames are made once and shared by all who follow.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use taskfold_domain::Subject;
use taskfold_event_log::{LogError, LoggedEvent};
use uuid::Uuid;

use super::cursor::Cursor;
use super::losses::Loss;

pub const HEARTBEAT_SECONDS: u64 = 15;
/// For clients that come back although their stream has ended for good.
const RETRY_ENDED_MS: u32 = 10_000;

/// An event as it is sent, or what somebody is told of one.
#[derive(Clone, Debug)]
pub struct Frame {
    pub at: Cursor,
    pub channel: Channel,
    pub kind: Kind,
    /// Empty: nothing to send, only to see to.
    pub bytes: Bytes,
}

/// Where frames are followed. Ids are given by clients too: the same one may be that of a project and of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    Project(Uuid),
    /// Told to each of its people in their own channel.
    Team(Uuid),
    Person(Uuid),
}

/// What a follower has to do with a frame. In the order in which frames of one position come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Send it.
    Plain,
    /// Send it. Somebody may have lost sight of a project by it: the feeder asks who.
    EndsAccess,
    /// Send it, unless the stream carries this project, where it comes too.
    AlsoIn(Uuid),
    /// Send nothing: from here on the person of the channel cannot see this project.
    Revokes(Uuid),
}

/// Events that end memberships, or what a team may do in a project.
const ENDS_ACCESS: [&str; 4] =
    ["project.member_removed", "project.team_removed", "team.member_removed", "team.deleted"];

/// What is read of a Change to know for whom it is. The rest is passed through unread.
#[derive(Deserialize)]
struct Head {
    position: i64,
    command_id: Uuid,
    r#type: String,
    project_id: Option<Uuid>,
    subject: Subject,
}

impl Frame {
    /// From the JSON of a Change, at its position, with the command that it is of. `None` when it is not the Change of that position.
    pub fn from_json(json: &str, position: i64, epoch: usize) -> Option<(Self, Uuid)> {
        let head: Head = serde_json::from_str(json).ok()?;
        let of = |head: Head| {
            (Self::of((head.position, epoch), head.project_id, head.subject, &head.r#type, json), head.command_id)
        };
        (head.position == position).then(|| of(head))
    }

    pub fn from_log(event: &LoggedEvent, epoch: usize) -> Result<Self, LogError> {
        let json = event.change_json()?;
        Ok(Self::of((event.position, epoch), event.project_id, event.subject()?, &event.event_type, &json))
    }

    /// The same on the channel `me` of somebody.
    pub fn told_to(&self, user: Uuid) -> Self {
        let kind = match self.channel {
            Channel::Project(project) => Kind::AlsoIn(project),
            Channel::Team(_) | Channel::Person(_) => Kind::Plain,
        };
        Self { channel: Channel::Person(user), kind, ..self.clone() }
    }

    /// Somebody cannot see a project any more.
    pub fn of_loss(loss: &Loss) -> Self {
        let Loss { position, project, user } = *loss;
        let (at, channel) = (Cursor::behind(position), Channel::Person(user));
        Self { at, channel, kind: Kind::Revokes(project), bytes: Bytes::new() }
    }

    /// By which frames are sorted, within a channel and over several.
    pub fn order(&self) -> (Cursor, Kind) {
        (self.at, self.kind)
    }

    fn of((position, epoch): (i64, usize), project: Option<Uuid>, subject: Subject, r#type: &str, json: &str) -> Self {
        let at = Cursor::behind(position);
        let channel = project.map_or(Channel::Team(subject.id), Channel::Project);
        let kind = if ENDS_ACCESS.contains(&r#type) { Kind::EndsAccess } else { Kind::Plain };
        Self { at, channel, kind, bytes: encode(Some(at.id(epoch)), r#type, None, json) }
    }
}

/// Frames about the stream itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Where this stream begins.
    Hello { from: Cursor, head: i64, stream: Uuid, log: Uuid },
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
    /// `epoch` of the log that the stream is of.
    pub fn encode(&self, epoch: usize) -> Bytes {
        let (id, name, retry, data) = match *self {
            Self::Hello { from, head, stream, log } => (
                Some(from),
                "hello",
                None,
                json!({
                    "position": from.position(), "head": head, "heartbeat_seconds": HEARTBEAT_SECONDS, "stream_id": stream,
                    "log": log,
                }),
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
        encode(id.map(|id: Cursor| id.id(epoch)), name, retry, &data.to_string())
    }
}

pub fn encode(id: Option<String>, event: &str, retry: Option<u32>, data: &str) -> Bytes {
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
        Frame::from_json(json, 7, 0).expect("a Change").0
    }

    fn change(kind: &str, changes: &serde_json::Value) -> String {
        let subject = json!({"kind": "task", "id": PROJECT});
        json!({
            "position": 7, "type": kind, "version": 1, "project_id": PROJECT, "subject": subject, "changes": changes,
            "command_id": USER,
        })
        .to_string()
    }

    #[test]
    fn an_event_has_its_position_its_type_and_its_json() {
        let json = change("task.renamed", &json!({"title": {"from": "a", "to": "line\nbreak\r\n\u{2028}é"}}));
        let frame = one(&json);
        assert_eq!(text(&frame.bytes), format!("id: 7\nevent: task.renamed\ndata: {json}\n\n"));
        assert_eq!((frame.at, frame.kind), (Cursor::behind(7), Kind::Plain));
    }

    #[test]
    fn json_with_line_breaks_stays_one_event() {
        let bytes = encode(Some("1".to_owned()), "x", None, "{\n \"a\":\r\n 1}");
        assert_eq!(text(&bytes), "id: 1\nevent: x\ndata: {\ndata:  \"a\":\ndata: \ndata:  1}\n\n");
    }

    #[test]
    fn what_a_person_is_told_comes_once_and_before_they_lose_sight() {
        let (project, user): (Uuid, Uuid) = (PROJECT.parse().expect("a UUID"), USER.parse().expect("a UUID"));
        let removal = one(&change("project.member_removed", &json!({})));
        assert_eq!((removal.channel, removal.kind), (Channel::Project(project), Kind::EndsAccess));
        let told = removal.told_to(user);
        assert_eq!((told.channel, told.kind), (Channel::Person(user), Kind::AlsoIn(project)));
        let loss = Frame::of_loss(&Loss { position: 7, project, user });
        let mut all = [loss, told, removal];
        all.sort_by_key(Frame::order);
        assert_eq!(all.map(|f| f.kind), [Kind::EndsAccess, Kind::AlsoIn(project), Kind::Revokes(project)]);
    }

    #[test]
    fn an_event_of_a_team_is_told_to_people() {
        let subject = json!({"kind": "team", "id": PROJECT});
        let json = json!({"position": 7, "type": "team.renamed", "project_id": null, "subject": subject, "changes": {}, "command_id": USER});
        let frame = one(&json.to_string());
        assert_eq!((frame.channel, frame.kind), (Channel::Team(PROJECT.parse().expect("a UUID")), Kind::Plain));
        assert_eq!(frame.told_to(Uuid::nil()).kind, Kind::Plain);
    }

    #[test]
    fn what_is_no_change_is_no_frame() {
        for json in ["", "{}", "[1]", "{\"position\": \"7\"}"] {
            assert!(Frame::from_json(json, 7, 0).is_none(), "{json}");
        }
        assert!(Frame::from_json(&change("task.renamed", &json!({})), 8, 0).is_none(), "of another position");
    }

    #[test]
    fn notices_are_as_promised() {
        let hello = Notice::Hello { from: Cursor::behind(5), head: 9, stream: Uuid::nil(), log: Uuid::nil() }.encode(0);
        let nil = Uuid::nil();
        let data =
            format!("{{\"head\":9,\"heartbeat_seconds\":15,\"log\":\"{nil}\",\"position\":5,\"stream_id\":\"{nil}\"}}");
        assert_eq!(text(&hello), format!("id: 5\nevent: hello\ndata: {data}\n\n"));
        assert!(text(&Notice::Reauth { seconds: 0 }.encode(0)).starts_with("retry: "), "it ends here");
        assert!(!text(&Notice::Reauth { seconds: 60 }.encode(0)).contains("retry:"), "it goes on");
        let drain = Notice::Drain { served: Cursor::behind(5), retry_ms: 700 }.encode(2);
        assert_eq!(text(&drain), "retry: 700\nid: 5-2\nevent: drain\ndata: {\"retry_ms\":700}\n\n");
        assert!(!text(&Notice::Reset { head: 3 }.encode(0)).contains("id:"));
    }
}
