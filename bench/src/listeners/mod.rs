//! Tens of thousands of SSE clients on a thread or two, cheap enough not to be what is measured.

/// Chunked bodies.
mod chunked;
/// One request for a stream, and its answer.
mod connection;
/// The listeners of one thread.
mod crowd;
/// Server-sent events, as much of them as is looked at.
mod frames;
/// All listeners of some servers, each server's in a process of its own.
mod held;
/// One of those processes.
pub mod holder;
/// How long things took, in a few kilobytes.
mod latencies;
/// What a listener was sent, and what it should have been.
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
