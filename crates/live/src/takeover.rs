//! Takeover of a stream: as the body of a response, or on the bare socket.
//!
//! The bare socket takes a fifth of the memory, and the writer threads can write to it while the stream is parked.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use socket2::SockRef;
use taskfold_domain::limits::STALLED_RESPONSE_SECONDS;
use tokio::net::TcpStream;
use tracing::Instrument as _;

use super::parked_socket::ParkedSocket;
use super::peer;
use super::stream_end::EndReason;
use super::subscriber::Subscriber;

/// Time for a client to accept some of the data that is ready. The client has its cursor, and can reconnect.
const STALL_LIMIT: Duration = Duration::from_secs(STALLED_RESPONSE_SECONDS);
/// Send buffer of a socket (the kernel doubles it). By default it grows to megabytes for a client that reads nothing;
/// this size is enough to keep a client busy during a catch-up.
const SEND_BUFFER: usize = 64 * 1024;
/// Bytes that a client may send on the connection of a stream, which are ignored.
const MAX_IGNORED_BYTES: usize = 16 * 1024;
/// SSE comment, which parsers skip. A client that is gone answers it with a reset.
const PROBE: Bytes = Bytes::from_static(b":\n\n");
/// Interval of attempts to send the probe while the stream is active.
const PROBE_INTERVAL: Duration = Duration::from_millis(50);

/// Stream that waits to be served. The response carries it in its extensions too: the server serves it on the socket if
/// it can, and otherwise as the body.
#[derive(Clone)]
pub struct Takeover(Arc<Mutex<Option<Subscriber>>>);

impl Takeover {
    pub fn new(subscriber: Subscriber) -> Self {
        Self(Arc::new(Mutex::new(Some(subscriber))))
    }

    /// Takes the stream, to serve it on a socket. `None` if it is taken already.
    pub fn on_socket(&self) -> Option<SocketStream> {
        self.take().map(|subscriber| SocketStream { subscriber })
    }

    /// Serves the stream as a body. It is taken when the body is first polled.
    pub fn body(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        futures::stream::unfold((self, None), |(takeover, subscriber)| async {
            let mut subscriber: Subscriber = subscriber.or_else(|| takeover.take())?;
            let span = subscriber.span().clone();
            let bytes = subscriber.next().instrument(span).await?;
            Some((Ok(bytes), (takeover, Some(subscriber))))
        })
    }

    /// Serves the stream as a body of HTTP/1 on this socket. While it responds, the HTTP server does not detect that
    /// the client has closed the connection; this body does, and continues for a client that has only closed its
    /// sending side.
    pub fn body_on(self, socket: Arc<TcpStream>) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        let parts = (Box::pin(self.body()), socket, false);
        futures::stream::unfold(parts, |(mut frames, socket, half_closed)| async move {
            tokio::select! {
                frame = frames.next() => frame.map(|frame| (frame, (frames, socket, half_closed))),
                () = peer::half_closed(&socket), if !half_closed => Some((Ok(PROBE), (frames, socket, true))),
                _ = peer::reset(&socket), if half_closed => None,
            }
        })
    }

    fn take(&self) -> Option<Subscriber> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Stream on a socket of its own.
pub struct SocketStream {
    subscriber: Subscriber,
}

impl SocketStream {
    /// Sends the head of the response, and then frames until the stream ends or the client disconnects. The end of the
    /// connection is the end of the body (RFC 9112, 6.3).
    pub async fn serve(mut self, socket: TcpStream, head: Vec<u8>) -> io::Result<()> {
        // A socket on which it cannot be set keeps its default.
        let _ = SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER);
        let socket = self.subscriber.attach_socket(socket);
        let span = self.subscriber.span().clone();
        let sending = async {
            write(socket.socket(), &head, STALL_LIMIT).await?;
            while let Some(bytes) = self.subscriber.next().await {
                write(socket.socket(), &bytes, STALL_LIMIT).await?;
            }
            Ok(())
        };
        let served = tokio::select! {
            sent = sending.instrument(span) => sent,
            disconnected = disconnected(&socket) => disconnected,
        };
        if let Err(error) = &served {
            self.subscriber.disconnect(EndReason::from(error));
        }
        served
    }
}

/// Writes all bytes. Fails if the client accepts nothing for `limit`.
async fn write(socket: &TcpStream, mut bytes: &[u8], limit: Duration) -> io::Result<()> {
    while !bytes.is_empty() {
        match socket.try_write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(taken) => bytes = &bytes[taken..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tokio::time::timeout(limit, Box::pin(socket.writable())).await??;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Waits until the client has disconnected, and not only closed its sending side.
async fn disconnected(socket: &ParkedSocket) -> io::Result<()> {
    ignore_input(socket.socket()).await?;
    let probing = async {
        // An active stream sends something anyway.
        while !socket.write_ephemeral(&PROBE) {
            tokio::time::sleep(PROBE_INTERVAL).await;
        }
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        reset = peer::reset(socket.socket()) => reset,
        never = probing => match never {},
    }
}

/// Waits until the client closes its sending side, and discards what it sends until then.
async fn ignore_input(socket: &TcpStream) -> io::Result<()> {
    let mut received = 0;
    loop {
        socket.readable().await?;
        // The buffer lives on the stack during the call only, and not in the waiting task.
        match read_some(socket) {
            Ok(0) => return Ok(()),
            Ok(count) => received += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if received > MAX_IGNORED_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

fn read_some(socket: &TcpStream) -> io::Result<usize> {
    socket.try_read(&mut [0; 512])
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;

    const LIMIT: Duration = Duration::from_millis(200);

    #[tokio::test]
    async fn a_slow_client_is_served_and_a_stalled_one_is_disconnected() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut client = TcpStream::connect(listener.local_addr()?).await?;
        let (server, _) = listener.accept().await?;
        SockRef::from(&server).set_send_buffer_size(4096)?;
        let much = vec![0; 8 * 1024 * 1024];
        let reading = async {
            let mut buf = vec![0; 1024 * 1024];
            for _ in 0..8 {
                tokio::time::sleep(LIMIT / 4).await;
                client.read_exact(&mut buf).await?;
            }
            io::Result::Ok(())
        };
        let (written, read) = tokio::join!(write(&server, &much, LIMIT), reading);
        written.and(read)?;
        let stalled = write(&server, &much, LIMIT).await.expect_err("nobody reads");
        assert_eq!(stalled.kind(), io::ErrorKind::TimedOut);
        Ok(())
    }
}
