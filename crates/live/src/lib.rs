//! Live streams: delivers the events of the log to open server-sent event streams, in order, without gaps.
//!
//! One feeder appends each new event to the in-memory channel of its project. Subscribers read on from their own
//! cursor. A channel keeps only the latest frames: a subscriber that is further behind reads the log until it has
//! caught up, so no subscriber gets a gap and none is waited for.

/// In-memory ring of the latest frames of one project, team or person, and its subscriptions.
mod channel;
/// Point in the log up to which a stream has been served.
mod cursor;
/// Waits at shutdown until the streams of the instance have ended.
pub mod drain;
/// Staggered ends of streams at shutdown.
mod drain_slots;
/// Queue of frames that are not stored and may be dropped.
mod ephemeral_queue;
/// Delivers new events to the hub, from JetStream or from the log.
mod feeder;
/// Server-sent event frames.
mod frame;
/// All channels of this instance.
mod hub;
/// Consumer of the JetStream stream.
mod jetstream;
/// Memberships, as the read tables contain them.
mod membership;
/// Sockets of quiet streams, written without a task of their own.
mod parked_socket;
/// Detection of half-closed and reset connections.
pub mod peer;
/// Permission to follow a project.
mod permission;
/// Frames of the channel `me`.
mod personal_frames;
/// Presence of devices in projects.
mod presence;
/// Open streams of this instance, and requests to change them.
mod registry;
/// Times at which users lost access to projects.
mod revocations;
/// Reasons why a stream ended, with their log line and counter.
mod stream_end;
/// Quota of streams per user.
mod stream_quota;
/// One client's stream.
mod subscriber;
/// Streams as HTTP bodies, or on sockets of their own.
mod takeover;
/// Threads that write to parked sockets.
mod writer_threads;

pub use cursor::Cursor;
pub use feeder::Feeder;
pub use frame::{ChannelId, ControlFrame};
pub use hub::Hub;
pub use membership::{MembershipError, Memberships, recently_revoked_at};
pub use permission::ProjectPermission;
pub use presence::{DeviceKey, Presence, PresenceFrame, PresenceUnavailable};
pub use registry::{CarriedChannels, ChangeRefusal, ChangeRequest, StreamChange, StreamRegistry};
pub use stream_quota::{QuotaExceeded, StreamQuotas};
pub use subscriber::{Subscriber, SubscriberOptions};
pub use takeover::{SocketStream, Takeover};
pub use writer_threads::WriterThreads;
