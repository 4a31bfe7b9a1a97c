//! What the other end of a connection does while it is answered. A client that has closed its side looks like one that is gone, and may
//! still listen, as `nc -N` does and some proxies: only what is sent to it tells the two apart, for who is gone answers with a reset.

use std::io;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::TcpStream;

/// Between two looks when more requests wait on the connection.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// Until the client has closed its side, or the connection is broken. Takes nothing of what it sends.
pub async fn has_said_all(socket: &TcpStream) {
    while let Ok(1..) = socket.peek(&mut [0; 1]).await {
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

/// Until the connection is broken.
pub async fn reset(socket: &TcpStream) -> io::Result<()> {
    socket.ready(Interest::ERROR).await?;
    Err(socket.take_error()?.unwrap_or_else(|| io::ErrorKind::ConnectionReset.into()))
}
