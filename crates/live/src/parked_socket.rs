//! Parked socket: the socket of a quiet stream, written by the writer threads without a task of its own.
//!
//! A subscriber that has been served everything parks its socket. A writer thread then writes frames to many sockets,
//! at the cost of a system call each. Everything else (a full socket, a revocation, the end of the stream) is left to
//! the subscriber: it is woken and resumes.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use uuid::Uuid;

use super::cursor::Cursor;
use super::frame::{ChannelId, Frame, FrameKind};

/// Frames per write.
const MAX_FRAMES_PER_WRITE: usize = 32;

/// Socket of one stream, parked or in use by its subscriber.
pub struct ParkedSocket {
    socket: TcpStream,
    /// Number that assigns the socket to a writer thread: always the same one, which keeps frames in order.
    pub writer: usize,
    user: Uuid,
    /// The stream carries the channel `me`.
    personal: AtomicBool,
    wake: Arc<Notify>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Cursor up to which the parked stream has been served; `None` while its subscriber is active.
    served: Option<Cursor>,
    /// The subscriber has been woken: nothing is written until it parks again.
    resume_requested: bool,
    queue: VecDeque<Arc<Frame>>,
    /// Rest of a write that the socket took only in part.
    unsent: Bytes,
}

/// State that a subscriber takes over when it resumes.
#[derive(Debug, PartialEq, Eq)]
pub struct Resumed {
    pub served: Cursor,
    /// Bytes to send before anything else; `served` already includes them.
    pub unsent: Bytes,
}

impl ParkedSocket {
    pub fn new(socket: TcpStream, user: Uuid, personal: bool, wake: Arc<Notify>) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self {
            socket,
            writer: NEXT.fetch_add(1, Ordering::Relaxed),
            user,
            personal: AtomicBool::new(personal),
            wake,
            state: Mutex::default(),
        }
    }

    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Sets whether the stream carries the channel `me`. Called while the subscriber is active.
    pub fn set_personal(&self, personal: bool) {
        self.personal.store(personal, Ordering::Relaxed);
    }

    /// Parks the socket of a stream that has been served up to `served`.
    pub fn park(&self, served: Cursor) {
        self.state().served = Some(served);
    }

    /// Hands the socket back to its subscriber. `None` if it was not parked.
    pub fn resume(&self) -> Option<Resumed> {
        let mut state = self.state();
        state.resume_requested = false;
        // Frames that were not written are still in the rings.
        state.queue.clear();
        let served = state.served.take()?;
        Some(Resumed { served, unsent: std::mem::take(&mut state.unsent) })
    }

    /// Wakes the subscriber. Nothing is written to the socket until it parks again.
    pub fn request_resume(&self) {
        self.state().resume_requested = true;
        self.wake.notify_one();
    }

    /// Queues a frame. Returns whether the queue was empty, so that the socket must be flushed.
    pub fn enqueue(&self, frame: &Arc<Frame>) -> bool {
        let mut state = self.state();
        if state.resume_requested || state.served.is_none_or(|served| served >= frame.at) {
            return false;
        }
        let personal_frame = frame.channel == ChannelId::Person(self.user);
        let unwanted = personal_frame && !self.personal.load(Ordering::Relaxed);
        match frame.kind {
            FrameKind::Plain | FrameKind::EndsAccess if unwanted => return false,
            FrameKind::Plain | FrameKind::EndsAccess => {}
            FrameKind::CopyOf(_) if unwanted => return false,
            FrameKind::CopyOf(_) | FrameKind::Revokes(_) | FrameKind::Reauthorizes => {
                // The subscriber must see all frames of this cursor: writing some of them would skip the rest.
                state.queue.retain(|queued| queued.at < frame.at);
                state.resume_requested = true;
                self.wake.notify_one();
                return false;
            }
        }
        state.queue.push_back(Arc::clone(frame));
        state.queue.len() == 1
    }

    /// Writes the queued frames. Returns how many were written.
    pub fn flush(&self) -> usize {
        let mut state = self.state();
        let mut written = 0;
        while !state.queue.is_empty() {
            let count = state.queue.len().min(MAX_FRAMES_PER_WRITE);
            match self.write(&state.queue, count) {
                Ok(rest) => {
                    state.served = state.queue.get(count - 1).map(|last| last.at).or(state.served);
                    state.queue.drain(..count);
                    written += count;
                    if rest.is_empty() {
                        continue;
                    }
                    state.unsent = rest;
                }
                // Full or broken: the subscriber waits until it is writable, or detects the error itself.
                Err(_) => state.queue.clear(),
            }
            state.queue.clear();
            state.resume_requested = true;
            self.wake.notify_one();
        }
        written
    }

    /// Writes an ephemeral frame if the stream is parked and the socket accepts it at once. Returns whether it did.
    pub fn write_ephemeral(&self, frame: &Bytes) -> bool {
        let mut state = self.state();
        if state.served.is_none() || state.resume_requested || !state.queue.is_empty() {
            return false;
        }
        let Ok(taken) = self.socket.try_write(frame) else { return false };
        if taken < frame.len() {
            // The rest of a frame that was begun must be sent before anything else.
            state.unsent = frame.slice(taken..);
            state.resume_requested = true;
            self.wake.notify_one();
        }
        true
    }

    /// Writes the first `count` frames. Returns the bytes that the socket did not take.
    fn write(&self, queue: &VecDeque<Arc<Frame>>, count: usize) -> io::Result<Bytes> {
        let frames = || queue.iter().take(count);
        let slices: Vec<IoSlice<'_>>;
        let taken = match frames().next().filter(|_| count == 1) {
            Some(frame) => self.socket.try_write(&frame.bytes)?,
            None => {
                slices = frames().map(|frame| IoSlice::new(&frame.bytes)).collect();
                self.socket.try_write_vectored(&slices)?
            }
        };
        let mut remaining = taken;
        let mut rest = Vec::new();
        for frame in frames() {
            let skip = remaining.min(frame.bytes.len());
            remaining -= skip;
            rest.extend_from_slice(&frame.bytes[skip..]);
        }
        Ok(rest.into())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    use super::*;

    const PROJECT: Uuid = Uuid::from_u128(1);
    const USER: Uuid = Uuid::from_u128(2);

    struct Fixture {
        socket: ParkedSocket,
        wake: Arc<Notify>,
        client: TcpStream,
    }

    impl Fixture {
        async fn new(me: bool) -> io::Result<Self> {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let client = TcpStream::connect(listener.local_addr()?).await?;
            let (socket, _) = listener.accept().await?;
            socket.writable().await?;
            let wake = Arc::new(Notify::new());
            Ok(Self { socket: ParkedSocket::new(socket, USER, me, Arc::clone(&wake)), wake, client })
        }

        async fn read(&mut self, count: usize) -> io::Result<String> {
            let mut bytes = vec![0; count];
            self.client.read_exact(&mut bytes).await?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
    }

    fn frame(position: i64, channel: ChannelId, kind: FrameKind, bytes: &[u8]) -> Arc<Frame> {
        Arc::new(Frame { at: Cursor::after(position), channel, kind, bytes: Bytes::copy_from_slice(bytes) })
    }

    fn plain(position: i64, bytes: &[u8]) -> Arc<Frame> {
        frame(position, ChannelId::Project(PROJECT), FrameKind::Plain, bytes)
    }

    fn personal(position: i64, kind: FrameKind, bytes: &[u8]) -> Arc<Frame> {
        frame(position, ChannelId::Person(USER), kind, bytes)
    }

    #[tokio::test]
    async fn frames_are_written_in_order_and_only_while_parked() -> io::Result<()> {
        let mut fixture = Fixture::new(false).await?;
        assert!(!fixture.socket.enqueue(&plain(11, b"active")));
        fixture.socket.park(Cursor::after(11));
        assert!(!fixture.socket.enqueue(&plain(11, b"served")), "already served");
        assert!(fixture.socket.enqueue(&plain(12, b"a")), "the first in the queue");
        assert!(!fixture.socket.enqueue(&plain(13, b"b")), "no longer the first");
        assert_eq!(fixture.socket.flush(), 2);
        assert!(fixture.socket.enqueue(&plain(14, b"c")));
        assert_eq!(fixture.socket.flush(), 1);
        assert_eq!(fixture.read(3).await?, "abc");
        assert!(fixture.socket.enqueue(&plain(15, b"queued and not written")));
        let resumed = fixture.socket.resume();
        assert_eq!(resumed, Some(Resumed { served: Cursor::after(14), unsent: Bytes::new() }));
        assert_eq!((fixture.socket.flush(), fixture.socket.resume()), (0, None));
        Ok(())
    }

    #[tokio::test]
    async fn a_revocation_and_everything_after_it_is_left_to_the_subscriber() -> io::Result<()> {
        let fixture = Fixture::new(false).await?;
        fixture.socket.park(Cursor::after(10));
        fixture.socket.enqueue(&plain(11, b"a"));
        fixture.socket.enqueue(&frame(12, ChannelId::Project(PROJECT), FrameKind::EndsAccess, b"removed"));
        assert!(!fixture.socket.enqueue(&personal(12, FrameKind::Revokes(PROJECT), b"")));
        assert!(!fixture.socket.enqueue(&plain(13, b"not to be seen")));
        assert_eq!(fixture.socket.flush(), 1);
        fixture.wake.notified().await;
        assert_eq!(fixture.socket.resume().map(|resumed| resumed.served), Some(Cursor::after(11)));
        Ok(())
    }

    #[tokio::test]
    async fn personal_frames_are_written_only_if_the_stream_carries_them() -> io::Result<()> {
        for me in [false, true] {
            let fixture = Fixture::new(me).await?;
            fixture.socket.park(Cursor::after(10));
            assert_eq!(fixture.socket.enqueue(&personal(11, FrameKind::Plain, b"personal")), me);
            assert!(!fixture.socket.enqueue(&personal(12, FrameKind::CopyOf(PROJECT), b"left to the subscriber")));
            assert_eq!(fixture.socket.state().resume_requested, me);
        }
        Ok(())
    }

    #[tokio::test]
    async fn a_full_socket_loses_nothing() -> io::Result<()> {
        let mut fixture = Fixture::new(false).await?;
        fixture.socket.park(Cursor::after(0));
        let (mut expected, mut position) = (Vec::new(), 0);
        // Until the client's window and the socket's buffer are full.
        while !fixture.socket.state().resume_requested {
            position += 1;
            let bytes = format!("{position:0>60000}");
            fixture.socket.enqueue(&plain(position, bytes.as_bytes()));
            fixture.socket.flush();
            expected.push(bytes);
        }
        assert!(!fixture.socket.enqueue(&plain(position + 1, b"not now")));
        fixture.wake.notified().await;
        let resumed = fixture.socket.resume().expect("it was parked");
        let served = usize::try_from(resumed.served.position()).expect("small");
        let expected = expected[..served].concat();
        let written = expected.len() - resumed.unsent.len();
        assert_eq!(fixture.read(written).await? + std::str::from_utf8(&resumed.unsent).expect("digits"), expected);
        Ok(())
    }

    #[tokio::test]
    async fn an_ephemeral_frame_is_written_whole_or_not_at_all_and_only_while_parked() -> io::Result<()> {
        let mut fixture = Fixture::new(false).await?;
        let frame_bytes = Bytes::from(format!("{:0>40001}", 7));
        assert!(!fixture.socket.write_ephemeral(&frame_bytes), "the subscriber is active");
        fixture.socket.park(Cursor::after(1));
        let written = (0..1000).take_while(|_| fixture.socket.write_ephemeral(&frame_bytes)).count();
        assert!((1..1000).contains(&written), "the socket is full at some point: {written}");
        let resumed = fixture.socket.resume().expect("it was parked");
        assert_eq!(resumed.served, Cursor::after(1));
        let got = fixture.read(written * frame_bytes.len() - resumed.unsent.len()).await?;
        assert_eq!(got.into_bytes(), frame_bytes.repeat(written)[..written * frame_bytes.len() - resumed.unsent.len()]);
        assert!(frame_bytes.ends_with(&resumed.unsent));
        Ok(())
    }
}
