//! Detection of half-closed and reset connections.
//!
//! A client that has closed its sending side may still read, as `nc -N` and some proxies do. Only a write tells the two
//! apart: a client that is gone answers it with a reset.

use std::io;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::TcpStream;

/// Poll interval while pipelined requests wait on the connection.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Waits until the client has closed its sending side, or the connection is broken. Consumes nothing of what the
/// client sends.
pub async fn half_closed(socket: &TcpStream) {
    while let Ok(1..) = socket.peek(&mut [0; 1]).await {
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Waits until the connection is broken, and returns the error.
pub async fn reset(socket: &TcpStream) -> io::Result<()> {
    socket.ready(Interest::ERROR).await?;
    Err(socket.take_error()?.unwrap_or_else(|| io::ErrorKind::ConnectionReset.into()))
}
