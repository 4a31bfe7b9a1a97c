//! Time limit of a connection's first request head, which hyper does not set.
//!
//! To tell HTTP/1 from HTTP/2 the server reads until it can, and would wait forever for a client that sends nothing, or
//! a single `P`. hyper has one limit for both a slow head and an idle connection between two requests; load balancers
//! need the second to be long, so that the first one is enforced here.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Beginning of a connection of HTTP/2 (RFC 9113, 3.4), which may be idle afterwards, because it has pings of its own.
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Flag that the service sets when it is called, which means that the first head is complete.
#[derive(Clone, Default)]
pub(crate) struct HeadReceived(Arc<AtomicBool>);

impl HeadReceived {
    /// Sets the flag. Returns true the first time.
    pub(crate) fn set(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }
}

/// A stream whose reads fail after the limit, until the first head is complete.
pub(crate) struct HeaderTimeout<S> {
    stream: S,
    head_received: HeadReceived,
    /// `None` once the head is complete.
    waiting: Option<Waiting>,
}

struct Waiting {
    /// Bytes of the preface that were received; `None` for another protocol.
    preface: Option<usize>,
    limit: Pin<Box<Sleep>>,
}

impl<S> HeaderTimeout<S> {
    pub(crate) fn new(stream: S, limit: Duration, head_received: HeadReceived) -> Self {
        let waiting = Waiting { preface: Some(0), limit: Box::pin(tokio::time::sleep(limit)) };
        Self { stream, head_received, waiting: Some(waiting) }
    }

    pub(crate) fn into_inner(self) -> S {
        self.stream
    }
}

impl Waiting {
    /// Compares received bytes with the preface. Returns true when it is complete.
    fn saw(&mut self, bytes: &[u8]) -> bool {
        let Some(seen) = self.preface else { return false };
        let rest = &PREFACE[seen..];
        let compared = rest.len().min(bytes.len());
        self.preface = (rest[..compared] == bytes[..compared]).then_some(seen + compared);
        self.preface == Some(PREFACE.len())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HeaderTimeout<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.head_received.0.load(Ordering::Relaxed) {
            this.waiting = None;
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        let Some(waiting) = &mut this.waiting else { return read };
        if read.is_ready() {
            if waiting.saw(&buf.filled()[before..]) {
                this.waiting = None;
            }
            return read;
        }
        ready!(waiting.limit.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeaderTimeout<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

    use super::*;

    const LIMIT: Duration = Duration::from_millis(20);

    async fn after(sent: &[u8]) -> io::Result<(DuplexStream, HeaderTimeout<DuplexStream>, HeadReceived)> {
        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(sent).await?;
        let head_received = HeadReceived::default();
        let mut server = HeaderTimeout::new(server, LIMIT, head_received.clone());
        let mut buf = [0; 64];
        // In two reads, as from a network.
        let first = sent.len() / 2;
        server.read_exact(&mut buf[..first]).await?;
        server.read_exact(&mut buf[first..sent.len()]).await?;
        Ok((client, server, head_received))
    }

    async fn is_cut_off(mut server: HeaderTimeout<DuplexStream>) -> bool {
        let read = tokio::time::timeout(LIMIT * 3, server.read_u8()).await;
        matches!(read, Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut)
    }

    #[tokio::test]
    async fn silence_and_an_incomplete_head_end_the_connection() -> io::Result<()> {
        for sent in [&b""[..], b"P", b"GET /v1/me HTTP/1.1\r\nHost: a\r\n", &PREFACE[..20]] {
            let (_client, server, _) = after(sent).await?;
            assert!(is_cut_off(server).await, "{sent:?}");
        }
        Ok(())
    }

    #[tokio::test]
    async fn connections_may_idle_after_a_request_or_with_http2() -> io::Result<()> {
        let (_client, server, head_received) = after(b"GET / HTTP/1.1\r\n\r\n").await?;
        head_received.set();
        assert!(!is_cut_off(server).await);
        let (_client, server, _) = after(PREFACE).await?;
        assert!(!is_cut_off(server).await);
        Ok(())
    }
}
