//! A socket that HTTP reads and writes, while a request observes whether its client has disconnected.

use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use taskfold_live::peer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Time after which a half-closed connection is probed. Most responses are sent earlier.
const GRACE: Duration = Duration::from_millis(200);
const PROCESSING: &[u8] = b"HTTP/1.1 102 Processing\r\n\r\n";

/// The socket, for HTTP.
pub(super) struct SharedSocket {
    socket: Arc<TcpStream>,
    full: Arc<AtomicBool>,
}

/// The same socket, for observing it.
#[derive(Clone)]
pub(super) struct SocketWatch {
    pub(super) socket: Arc<TcpStream>,
    full: Arc<AtomicBool>,
}

impl SharedSocket {
    pub(super) fn new(socket: TcpStream) -> (Self, SocketWatch) {
        let (socket, full) = (Arc::new(socket), Arc::default());
        (Self { socket: Arc::clone(&socket), full: Arc::clone(&full) }, SocketWatch { socket, full })
    }

    /// Returns the socket; `None` while it is observed.
    pub(super) fn into_inner(self) -> Option<TcpStream> {
        Arc::into_inner(self.socket)
    }
}

impl SocketWatch {
    /// Waits until the client of the current request has disconnected. One that has only closed its sending side
    /// accepts an interim response (102, RFC 2518), as every client of HTTP/1.1 must (RFC 9110, 15.2); one that has
    /// disconnected answers it with a reset. Nothing is sent while a part of an earlier response waits to be sent.
    pub(super) async fn gone(&self) {
        peer::half_closed(&self.socket).await;
        tokio::time::sleep(GRACE).await;
        let sent = !self.full.load(Ordering::Relaxed) && self.socket.try_write(PROCESSING).is_ok();
        if !sent {
            std::future::pending::<()>().await;
        }
        let _ = peer::reset(&self.socket).await;
    }
}

impl AsyncRead for SharedSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.socket.poll_read_ready(cx))?;
            match self.socket.try_read(buf.initialize_unfilled()) {
                Ok(count) => {
                    buf.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl SharedSocket {
    fn poll_with<T>(&self, cx: &mut Context<'_>, mut write: impl FnMut() -> io::Result<T>) -> Poll<io::Result<T>> {
        loop {
            ready!(self.socket.poll_write_ready(cx))?;
            match write() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.full.store(true, Ordering::Relaxed),
                written => {
                    self.full.store(false, Ordering::Relaxed);
                    return Poll::Ready(written);
                }
            }
        }
    }
}

impl AsyncWrite for SharedSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_with(cx, || self.socket.try_write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_with(cx, || self.socket.try_write_vectored(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.socket).shutdown(Shutdown::Write))
    }
}
