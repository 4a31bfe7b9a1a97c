//! Tens of thousands of SSE clients on one or two threads, with so little overhead that they do not affect the
//! measurement.

/// Main function of a child process with listeners.
pub mod child_process;
/// Decoder for chunked bodies.
mod chunked;
/// One request for a stream, and its response.
mod connection;
/// The listeners of one thread.
mod event_loop;
/// Parser of server-sent events.
mod frames;
/// Histogram of durations in a few kilobytes.
mod latencies;
/// All listeners of some servers, with a child process for each server.
mod processes;
/// Frames that a listener received, and check against those that it should have received.
mod received;
/// Connections from several addresses.
pub mod sockets;
/// All listeners of a process.
mod threads;

pub use event_loop::{Reconnect, Report};
pub use latencies::Latencies;
pub use processes::ListenerProcesses;
pub use received::ExpectedPositions;
pub use threads::{Channel, Listener, Listeners, Plan};
