use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use socket2::SockRef;
use tokio::net::TcpStream;

use super::follower::Follower;
use super::outlet::Outlet;
use super::peer;

/// For a client to take something of what is ready for them. Their cursor is known: they come back and go on.
const STALL_LIMIT: Duration = Duration::from_secs(60);
/// For what is on its way to one client (the kernel doubles it). It would grow to megabytes for one who reads nothing, and what a
/// catch-up can leave there keeps it busy.
const SEND_BUFFER: usize = 64 * 1024;
/// What a client may say on a connection that is no longer listened to.
const IGNORED_BYTES: usize = 16 * 1024;
/// A comment, which no parser hands on: what comes of it says whether a client that has closed its side still listens.
const PROBE: Bytes = Bytes::from_static(b":\n\n");
/// Between two attempts to send it while the stream is at work.
const PROBE_PAUSE: Duration = Duration::from_millis(50);

/// A stream that waits to be served: as the body of an answer, or on the bare socket by whoever finds this in the answer's
/// extensions. The bare socket costs a fifth of the memory, and others can write to it while the stream rests.
#[derive(Clone)]
pub struct Takeover(Arc<Mutex<Option<Follower>>>);

impl Takeover {
    pub fn new(follower: Follower) -> Self {
        Self(Arc::new(Mutex::new(Some(follower))))
    }

    /// The stream, for a socket. `None` when it is taken already.
    pub fn wire(&self) -> Option<Wire> {
        self.take().map(|follower| Wire { follower })
    }

    /// The stream as a body. Nothing is done before it is first asked for.
    pub fn body(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        futures::stream::unfold((self, None), |(takeover, follower)| async {
            let mut follower: Follower = follower.or_else(|| takeover.take())?;
            let bytes = follower.next().await?;
            Some((Ok(bytes), (takeover, Some(follower))))
        })
    }

    /// The stream as a body of HTTP/1 on this socket. HTTP does not look for the end of what the client says while it answers,
    /// so that one who has only closed their side gets the answer.
    pub fn body_on(self, socket: Arc<TcpStream>) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        let parts = (Box::pin(self.body()), socket, false);
        futures::stream::unfold(parts, |(mut frames, socket, half_closed)| async move {
            tokio::select! {
                frame = frames.next() => frame.map(|frame| (frame, (frames, socket, half_closed))),
                () = peer::has_said_all(&socket), if !half_closed => Some((Ok(PROBE), (frames, socket, true))),
                _ = peer::reset(&socket), if half_closed => None,
            }
        })
    }

    fn take(&self) -> Option<Follower> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A stream on a socket of its own.
pub struct Wire {
    follower: Follower,
}

impl Wire {
    /// Sends the head of the answer, and what follows until the stream ends or the client goes. The end of the connection is
    /// the end of the body (RFC 9112, 6.3).
    pub async fn serve(mut self, socket: TcpStream, head: Vec<u8>) -> io::Result<()> {
        // Where it cannot be set, it is as it is.
        let _ = SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER);
        let outlet = self.follower.write_to(socket);
        write(outlet.socket(), &head, STALL_LIMIT).await?;
        let sending = async {
            while let Some(bytes) = self.follower.next().await {
                write(outlet.socket(), &bytes, STALL_LIMIT).await?;
            }
            Ok(())
        };
        tokio::select! {
            sent = sending => sent,
            gone = gone(&outlet) => gone,
        }
    }
}

/// Fails when the client takes nothing for `limit`.
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

/// Until the client is gone, and not only has closed its side.
async fn gone(outlet: &Outlet) -> io::Result<()> {
    let socket = outlet.socket();
    hear_out(socket).await?;
    let probing = async {
        // A stream that is at work sends something anyway.
        while !outlet.write_passing(&PROBE) {
            tokio::time::sleep(PROBE_PAUSE).await;
        }
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        reset = peer::reset(socket) => reset,
        never = probing => match never {},
    }
}

/// Until the client closes its side. What it says meanwhile is not listened to.
async fn hear_out(socket: &TcpStream) -> io::Result<()> {
    let mut said = 0;
    loop {
        socket.readable().await?;
        // On the stack for a moment only, and not in the task that waits.
        match read_some(socket) {
            Ok(0) => return Ok(()),
            Ok(more) => said += more,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if said > IGNORED_BYTES {
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
    async fn who_reads_slowly_is_served_and_who_stops_is_let_go() -> io::Result<()> {
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
