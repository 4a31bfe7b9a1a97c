//! Events as they happen. One feeder brings the log's new events, in order, into rooms, one for each project that
//! somebody follows; followers read on from the position where they are. A room keeps only the latest events: a
//! follower behind them reads the log until it has caught up, so nobody is sent a gap and nobody is waited for.

/// How far a stream has been served.
mod cursor;
/// How streams end when the instance goes away.
pub mod drain;
/// Where a stream hears what is worth nothing later.
mod ear;
/// Brings new events, from JetStream or from the log.
mod feeder;
/// One client's stream.
mod follower;
/// An event as it is sent.
mod frame;
/// All rooms.
mod hub;
/// The JetStream side of the feeder.
mod jetstream;
/// Who lost sight of which project.
mod losses;
/// Who may follow which project.
mod membership;
/// What people are told on the channel `me`.
mod notices;
/// The streams that are open here.
mod open;
/// A socket that others write to.
mod outlet;
/// The other end of a connection: closed, or gone.
pub mod peer;
/// How many streams one person may have.
mod places;
/// Who is there.
mod presence;
/// The latest events of one project, and who waits for more.
mod room;
/// A stream on a socket of its own.
mod wire;
/// The threads that write to many sockets.
mod writers;

pub use cursor::Cursor;
pub use feeder::Feeder;
pub use follower::{Door, Follower, MOST_PROJECTS, Opening};
pub use frame::{Channel, Notice};
pub use hub::Hub;
pub use membership::{Memberships, NotKnown, removed_at};
pub use open::{Ask, Channels, Streams, Unchanged, Wish};
pub use places::{NoPlace, Places};
pub use presence::{Away, Key, MOST_DEVICES, Presence, PresenceFrame};
pub use wire::{Takeover, Wire};
pub use writers::Writers;
