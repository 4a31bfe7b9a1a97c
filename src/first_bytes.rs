//! A connection that says nothing is closed: the one time limit that hyper does not set.
//!
//! To tell HTTP/1 from HTTP/2 the server reads until it can, and a client that sends nothing, or a single `P`, would be
//! waited for without end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// As long as HTTP/2's preface; no useful HTTP/1 request is shorter.
const ENOUGH: usize = 24;

pub(crate) struct FirstBytes<S> {
    stream: S,
    /// Until enough bytes have come, then gone.
    waiting: Option<(usize, Pin<Box<Sleep>>)>,
}

impl<S> FirstBytes<S> {
    pub(crate) fn new(stream: S, limit: Duration) -> Self {
        Self { stream, waiting: Some((0, Box::pin(tokio::time::sleep(limit)))) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FirstBytes<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let this = &mut *self;
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        let Some((seen, limit)) = &mut this.waiting else { return read };
        match read {
            Poll::Ready(Ok(())) => {
                *seen += buf.filled().len() - before;
                if *seen >= ENOUGH {
                    this.waiting = None;
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                ready!(limit.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FirstBytes<S> {
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
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn silence_ends_the_connection_and_a_request_does_not() -> io::Result<()> {
        let limit = Duration::from_millis(20);
        let mut buf = [0; 64];

        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(b"P").await?;
        let mut server = FirstBytes::new(server, limit);
        assert_eq!(server.read(&mut buf).await?, 1);
        assert_eq!(server.read(&mut buf).await.map_err(|error| error.kind()), Err(io::ErrorKind::TimedOut));

        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(b"GET /v1/me HTTP/1.1\r\nHost: a\r\n").await?;
        let mut server = FirstBytes::new(server, limit);
        assert!(server.read(&mut buf).await? > ENOUGH);
        assert!(tokio::time::timeout(limit * 3, server.read(&mut buf)).await.is_err(), "it goes on waiting");
        Ok(())
    }
}
