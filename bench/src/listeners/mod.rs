//! Tens of thousands of SSE clients on one or two threads, with so little overhead that they do not affect the
//! measurement.

/// Decoder for chunked bodies.
mod chunked;
/// One request for a stream, and its response.
mod connection;
/// The listeners of one thread.
mod crowd;
/// Parser of server-sent events.
mod frames;
/// All listeners of some servers, with a child process for each server.
mod held;
/// Main function of such a child process.
pub mod holder;
/// Histogram of durations in a few kilobytes.
mod latencies;
/// Frames that a listener received, and check against those that it should have received.
mod seen;
/// Connections from several addresses.
pub mod sockets;
/// All listeners.
mod swarm;

pub use crowd::{Report, Returns};
pub use held::Held;
pub use latencies::Latencies;
pub use seen::Truth;
pub use swarm::{Channel, Listener, Plan, Swarm};
