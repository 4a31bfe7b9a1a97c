//! Frames of the streams, as server-sent events (WHATWG HTML, 9.2). A frame is encoded once and shared by all
//! subscribers.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use taskfold_domain::limits::STREAM_HEARTBEAT_SECONDS;
use taskfold_domain::{Event, Subject};
use taskfold_event_log::LoggedEvent;
use uuid::Uuid;

use super::cursor::Cursor;
use super::revocations::Revocation;

/// `retry:` for clients that reconnect although their stream has ended for good.
const RETRY_ENDED_MS: u32 = 10_000;

/// Frame of an event, a notification or a revocation.
#[derive(Clone, Debug)]
pub struct Frame {
    pub at: Cursor,
    pub channel: ChannelId,
    pub kind: FrameKind,
    /// Encoded frame. Empty for a frame that is processed and not sent.
    pub bytes: Bytes,
}

/// Address of a channel. Clients choose ids, so a project and a person may share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChannelId {
    Project(Uuid),
    /// Has no subscribers: each member gets a copy of its frames in their own channel.
    Team(Uuid),
    Person(Uuid),
}

impl ChannelId {
    /// Project of the channel, if it is one's.
    pub fn project(self) -> Option<Uuid> {
        match self {
            Self::Project(project) => Some(project),
            Self::Team(_) | Self::Person(_) => None,
        }
    }
}

/// Kind of processing by subscribers. Variants are declared in the order of delivery at one cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FrameKind {
    /// Is sent.
    Plain,
    /// Is sent, and may end somebody's access to a project: the feeder reads the revocations.
    EndsAccess,
    /// Cannot be read as an event of this version, and may end anybody's access: every subscriber of the channel is
    /// authorized again, and of all channels for an event without a project. Is sent if it has bytes.
    Reauthorizes,
    /// Is sent unless the stream carries this project, where the same event is delivered too.
    CopyOf(Uuid),
    /// Is not sent: the person of the channel loses access to this project here.
    Revokes(Uuid),
}

/// Fields of a Change that determine its channel. The rest of the JSON is passed on unparsed.
#[derive(Deserialize)]
struct ChangeHeader {
    position: i64,
    command_id: Uuid,
    r#type: String,
    project_id: Option<Uuid>,
    subject: Subject,
}

impl Frame {
    /// Builds the frame of a Change from its JSON, and returns it with the id of its command. `None` if the JSON is not
    /// the Change of this position.
    pub fn from_json(json: &str, position: i64, epoch: usize) -> Option<(Self, Uuid)> {
        let header: ChangeHeader = serde_json::from_str(json).ok()?;
        if header.position != position {
            return None;
        }
        let event = Event::decode(header.subject.kind, &mut serde_json::Deserializer::from_str(json)).ok();
        let channel = channel_of(header.project_id, header.subject.id);
        let frame = Self::new((position, epoch), channel, event.as_ref(), (&header.r#type, json));
        Some((frame, header.command_id))
    }

    /// Builds the frame of an event of the log. One that cannot be sent only reauthorizes.
    pub fn from_log(event: &LoggedEvent, epoch: usize) -> Self {
        // An aggregate without a valid id is nobody's, as is its channel.
        let channel = channel_of(event.project_id, event.aggregate_id.parse().unwrap_or_default());
        match event.change_json() {
            Ok(json) => {
                Self::new((event.position, epoch), channel, event.event().ok().as_ref(), (&event.event_type, &json))
            }
            Err(error) => {
                tracing::error!(position = event.position, %error, "an event that cannot be read is not sent");
                let at = Cursor::after(event.position);
                Self { at, channel, kind: FrameKind::Reauthorizes, bytes: Bytes::new() }
            }
        }
    }

    /// Copies the frame to the channel of a person, where the channel `me` delivers it.
    pub fn copy_for(&self, user: Uuid) -> Self {
        let kind = match self.channel {
            ChannelId::Project(project) => FrameKind::CopyOf(project),
            ChannelId::Team(_) | ChannelId::Person(_) => FrameKind::Plain,
        };
        Self { channel: ChannelId::Person(user), kind, ..self.clone() }
    }

    pub fn of_revocation(revocation: &Revocation) -> Self {
        let Revocation { position, project, user } = *revocation;
        let (at, channel) = (Cursor::after(position), ChannelId::Person(user));
        Self { at, channel, kind: FrameKind::Revokes(project), bytes: Bytes::new() }
    }

    /// Builds the frame after which everybody who follows the project is authorized again.
    pub fn of_reauthorization(position: i64, project: Uuid) -> Self {
        let (at, channel) = (Cursor::after(position), ChannelId::Project(project));
        Self { at, channel, kind: FrameKind::Reauthorizes, bytes: Bytes::new() }
    }

    /// Sort key of frames, within a channel and across channels.
    pub fn order(&self) -> (Cursor, FrameKind) {
        (self.at, self.kind)
    }

    /// Builds the frame from the event, or `None` where it cannot be decoded, and from its name and JSON.
    fn new(
        (position, epoch): (i64, usize),
        channel: ChannelId,
        event: Option<&Event>,
        (name, json): (&str, &str),
    ) -> Self {
        let at = Cursor::after(position);
        let kind = match event.map(Event::ends_access) {
            Some(false) => FrameKind::Plain,
            Some(true) => FrameKind::EndsAccess,
            None => FrameKind::Reauthorizes,
        };
        Self { at, channel, kind, bytes: encode(Some(at.id(epoch)), name, None, json) }
    }
}

fn channel_of(project: Option<Uuid>, aggregate: Uuid) -> ChannelId {
    project.map_or(ChannelId::Team(aggregate), ChannelId::Project)
}

/// Frame about the stream itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlFrame {
    /// First frame of each stream.
    Hello { from: Cursor, head: i64, stream: Uuid, log: Uuid },
    /// Advances the cursor of a quiet stream.
    Heartbeat { served: Cursor, head: i64 },
    /// The stream has fallen behind the ring, and continues from the log without a gap.
    Lagging { served: Cursor, head: i64 },
    /// JetStream is `unavailable`, or available again. Meanwhile all events come from the log, with a short delay.
    Broker { unavailable: bool, served: Cursor, head: i64 },
    /// Last frame: the client's cursor is not in the log.
    Reset { head: i64 },
    /// The token expires in this time, and the stream can be renewed until then. Last frame at 0.
    Reauth { seconds: u64 },
    /// The user is not a member of the project any more. Last frame if the stream carries nothing else.
    Revoked { project: Uuid },
    /// Last frame: the client should reconnect after `retry_ms`.
    Drain { served: Cursor, retry_ms: u32 },
}

impl ControlFrame {
    /// Encodes the frame. `epoch`: that of the log.
    pub fn encode(&self, epoch: usize) -> Bytes {
        let (id, name, retry, data) = match *self {
            Self::Hello { from, head, stream, log } => (
                Some(from),
                "hello",
                None,
                json!({
                    "position": from.position(), "head": head, "heartbeat_seconds": STREAM_HEARTBEAT_SECONDS, "stream_id": stream,
                    "log": log,
                }),
            ),
            Self::Heartbeat { served, head } => (Some(served), "heartbeat", None, json!({"head": head})),
            Self::Lagging { served, head } => {
                (Some(served), "lagging", None, json!({"position": served.position(), "head": head}))
            }
            Self::Broker { unavailable, served, head } => {
                (Some(served), if unavailable { "degraded" } else { "recovered" }, None, json!({"head": head}))
            }
            // No id: the cursor of a client that starts over must not be replaced without its knowledge.
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
    // JSON has line breaks only between tokens. Each line becomes a `data:` line, and the client's parser joins them.
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

    fn frame(json: &str) -> Frame {
        Frame::from_json(json, 7, 0).expect("a Change").0
    }

    fn change(kind: &str, changes: &serde_json::Value) -> String {
        let subject = json!({"kind": kind.split('.').next(), "id": PROJECT});
        json!({
            "position": 7, "type": kind, "version": 1, "project_id": PROJECT, "subject": subject, "changes": changes,
            "command_id": USER,
        })
        .to_string()
    }

    #[test]
    fn an_event_has_its_position_its_type_and_its_json() {
        let json = change("task.renamed", &json!({"title": {"from": "a", "to": "line\nbreak\r\n\u{2028}é"}}));
        let frame = frame(&json);
        assert_eq!(text(&frame.bytes), format!("id: 7\nevent: task.renamed\ndata: {json}\n\n"));
        assert_eq!((frame.at, frame.kind), (Cursor::after(7), FrameKind::Plain));
    }

    #[test]
    fn json_with_line_breaks_stays_one_event() {
        let bytes = encode(Some("1".to_owned()), "x", None, "{\n \"a\":\r\n 1}");
        assert_eq!(text(&bytes), "id: 1\nevent: x\ndata: {\ndata:  \"a\":\ndata: \ndata:  1}\n\n");
    }

    #[test]
    fn a_copy_comes_before_the_revocation_of_the_same_event() {
        let (project, user): (Uuid, Uuid) = (PROJECT.parse().expect("a UUID"), USER.parse().expect("a UUID"));
        let member = json!({"user_id": USER, "role": "viewer"});
        let removal = frame(&change("project.member_removed", &json!({"member": {"from": member, "to": null}})));
        assert_eq!((removal.channel, removal.kind), (ChannelId::Project(project), FrameKind::EndsAccess));
        let copy = removal.copy_for(user);
        assert_eq!((copy.channel, copy.kind), (ChannelId::Person(user), FrameKind::CopyOf(project)));
        let revocation = Frame::of_revocation(&Revocation { position: 7, project, user });
        let mut all = [revocation, copy, removal];
        all.sort_by_key(Frame::order);
        assert_eq!(
            all.map(|f| f.kind),
            [FrameKind::EndsAccess, FrameKind::CopyOf(project), FrameKind::Revokes(project)]
        );
    }

    /// Neither a name that this version does not know, nor a payload without what it should have, leaves everybody's
    /// access as it is.
    #[test]
    fn an_event_that_cannot_be_decoded_reauthorizes() {
        for (kind, changes) in [
            ("project.members_replaced", json!({})),
            ("project.member_removed", json!({})),
            ("project.member_removed", json!({"member": {"from": {"user": USER}, "to": null}})),
            ("team.dissolved", json!({})),
            ("team.deleted", json!({"members": {"from": "all", "to": null}})),
            ("task.handed_over", json!({})),
        ] {
            assert_eq!(frame(&change(kind, &changes)).kind, FrameKind::Reauthorizes, "{kind} {changes}");
        }
    }

    #[test]
    fn an_event_of_a_team_is_copied_to_people() {
        let subject = json!({"kind": "team", "id": PROJECT});
        let json = json!({"position": 7, "type": "team.renamed", "project_id": null, "subject": subject, "command_id": USER,
            "changes": {"name": {"from": "a", "to": "b"}}});
        let frame = frame(&json.to_string());
        assert_eq!((frame.channel, frame.kind), (ChannelId::Team(PROJECT.parse().expect("a UUID")), FrameKind::Plain));
        assert_eq!(frame.copy_for(Uuid::nil()).kind, FrameKind::Plain);
    }

    #[test]
    fn other_json_is_not_a_frame() {
        for json in ["", "{}", "[1]", "{\"position\": \"7\"}"] {
            assert!(Frame::from_json(json, 7, 0).is_none(), "{json}");
        }
        assert!(Frame::from_json(&change("task.renamed", &json!({})), 8, 0).is_none(), "of another position");
    }

    #[test]
    fn control_frames_have_the_documented_form() {
        let hello =
            ControlFrame::Hello { from: Cursor::after(5), head: 9, stream: Uuid::nil(), log: Uuid::nil() }.encode(0);
        let nil = Uuid::nil();
        let data =
            format!("{{\"head\":9,\"heartbeat_seconds\":15,\"log\":\"{nil}\",\"position\":5,\"stream_id\":\"{nil}\"}}");
        assert_eq!(text(&hello), format!("id: 5\nevent: hello\ndata: {data}\n\n"));
        assert!(text(&ControlFrame::Reauth { seconds: 0 }.encode(0)).starts_with("retry: "), "the stream ends");
        assert!(!text(&ControlFrame::Reauth { seconds: 60 }.encode(0)).contains("retry:"), "the stream continues");
        let drain = ControlFrame::Drain { served: Cursor::after(5), retry_ms: 700 }.encode(2);
        assert_eq!(text(&drain), "retry: 700\nid: 5-2\nevent: drain\ndata: {\"retry_ms\":700}\n\n");
        assert!(!text(&ControlFrame::Reset { head: 3 }.encode(0)).contains("id:"));
    }
}
