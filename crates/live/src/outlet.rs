use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use uuid::Uuid;

use super::cursor::Cursor;
use super::frame::{Channel, Frame, Kind};

/// Frames that leave in one write.
const WRITE_AT_ONCE: usize = 32;

/// The socket of a stream whose follower rests: it has been served all there is. Frames are then written from outside, by one
/// thread for many sockets, which costs a system call and no more. Whatever is not plain writing (a full socket, a removal, an
/// end) is the follower's: it is woken, and takes the outlet back.
pub struct Outlet {
    socket: TcpStream,
    /// Which thread writes here; always the same, so that frames stay in their order.
    pub writer: usize,
    /// Whose stream it is: the room of what concerns that person.
    user: Uuid,
    /// Whether what the person is told is sent here.
    me: AtomicBool,
    wake: Arc<Notify>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Up to where the follower, which rests, has been served; `None` while it is at work.
    served: Option<Cursor>,
    /// It is to come and look: nothing is written meanwhile.
    called: bool,
    queue: VecDeque<Arc<Frame>>,
    /// The rest of what the socket had no room for.
    unsent: Bytes,
}

/// What a follower takes back when it is woken.
#[derive(Debug, PartialEq, Eq)]
pub struct Back {
    pub served: Cursor,
    /// To be sent first of all; `served` counts it in.
    pub unsent: Bytes,
}

impl Outlet {
    pub fn new(socket: TcpStream, user: Uuid, me: bool, wake: Arc<Notify>) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self {
            socket,
            writer: NEXT.fetch_add(1, Ordering::Relaxed),
            user,
            me: AtomicBool::new(me),
            wake,
            state: Mutex::default(),
        }
    }

    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// While the follower is at work.
    pub fn set_me(&self, me: bool) {
        self.me.store(me, Ordering::Relaxed);
    }

    /// The follower has been served up to here, has nothing to do, and waits to be woken.
    pub fn rest(&self, served: Cursor) {
        self.state().served = Some(served);
    }

    /// The follower goes to work. `None` when it did not rest.
    pub fn take_back(&self) -> Option<Back> {
        let mut state = self.state();
        state.called = false;
        // What was not written is still in the rings.
        state.queue.clear();
        let served = state.served.take()?;
        Some(Back { served, unsent: std::mem::take(&mut state.unsent) })
    }

    /// Wakes the follower. Nothing more is written from outside until it rests again.
    pub fn call(&self) {
        self.state().called = true;
        self.wake.notify_one();
    }

    /// Lines a frame up. Whether it is the first in line.
    pub fn offer(&self, frame: &Arc<Frame>) -> bool {
        let mut state = self.state();
        if state.called || state.served.is_none_or(|served| served >= frame.at) {
            return false;
        }
        let told = frame.channel == Channel::Person(self.user);
        let silent = told && !self.me.load(Ordering::Relaxed);
        match frame.kind {
            Kind::Plain | Kind::EndsAccess if silent => return false,
            Kind::Plain | Kind::EndsAccess => {}
            Kind::AlsoIn(_) if silent => return false,
            // What of the same place is in line already would be taken for all of it.
            Kind::AlsoIn(_) | Kind::Revokes(_) => {
                state.queue.retain(|lined_up| lined_up.at < frame.at);
                state.called = true;
                self.wake.notify_one();
                return false;
            }
        }
        state.queue.push_back(Arc::clone(frame));
        state.queue.len() == 1
    }

    /// Writes what is in line. How many frames that was.
    pub fn flush(&self) -> usize {
        let mut state = self.state();
        let mut written = 0;
        while !state.queue.is_empty() {
            let count = state.queue.len().min(WRITE_AT_ONCE);
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
                // Full, which the follower waits out, or broken, which it finds by itself.
                Err(_) => state.queue.clear(),
            }
            state.queue.clear();
            state.called = true;
            self.wake.notify_one();
        }
        written
    }

    /// Writes what is worth nothing later, if the follower rests and the socket takes it now. Whether it did.
    pub fn write_passing(&self, piece: &Bytes) -> bool {
        let mut state = self.state();
        if state.served.is_none() || state.called || !state.queue.is_empty() {
            return false;
        }
        let Ok(taken) = self.socket.try_write(piece) else { return false };
        if taken < piece.len() {
            // Begun, so the rest must follow before anything else.
            state.unsent = piece.slice(taken..);
            state.called = true;
            self.wake.notify_one();
        }
        true
    }

    /// What is left of these frames when the socket takes some of them, but not all.
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
        let mut behind = taken;
        let mut rest = Vec::new();
        for frame in frames() {
            let skip = behind.min(frame.bytes.len());
            behind -= skip;
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

    struct World {
        outlet: Outlet,
        wake: Arc<Notify>,
        client: TcpStream,
    }

    impl World {
        async fn new(me: bool) -> io::Result<Self> {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let client = TcpStream::connect(listener.local_addr()?).await?;
            let (socket, _) = listener.accept().await?;
            socket.writable().await?;
            let wake = Arc::new(Notify::new());
            Ok(Self { outlet: Outlet::new(socket, USER, me, Arc::clone(&wake)), wake, client })
        }

        async fn read(&mut self, count: usize) -> io::Result<String> {
            let mut bytes = vec![0; count];
            self.client.read_exact(&mut bytes).await?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
    }

    fn frame(position: i64, channel: Channel, kind: Kind, bytes: &[u8]) -> Arc<Frame> {
        Arc::new(Frame { at: Cursor::behind(position), channel, kind, bytes: Bytes::copy_from_slice(bytes) })
    }

    fn plain(position: i64, bytes: &[u8]) -> Arc<Frame> {
        frame(position, Channel::Project(PROJECT), Kind::Plain, bytes)
    }

    fn told(position: i64, kind: Kind, bytes: &[u8]) -> Arc<Frame> {
        frame(position, Channel::Person(USER), kind, bytes)
    }

    #[tokio::test]
    async fn frames_are_written_in_order_while_the_follower_rests_and_then_only() -> io::Result<()> {
        let mut world = World::new(false).await?;
        assert!(!world.outlet.offer(&plain(11, b"at work")));
        world.outlet.rest(Cursor::behind(11));
        assert!(!world.outlet.offer(&plain(11, b"served")), "it has that one");
        assert!(world.outlet.offer(&plain(12, b"a")), "the first in line");
        assert!(!world.outlet.offer(&plain(13, b"b")), "no longer the first");
        assert_eq!(world.outlet.flush(), 2);
        assert!(world.outlet.offer(&plain(14, b"c")));
        assert_eq!(world.outlet.flush(), 1);
        assert_eq!(world.read(3).await?, "abc");
        assert!(world.outlet.offer(&plain(15, b"in line, and not written")));
        let back = world.outlet.take_back();
        assert_eq!(back, Some(Back { served: Cursor::behind(14), unsent: Bytes::new() }));
        assert_eq!((world.outlet.flush(), world.outlet.take_back()), (0, None));
        Ok(())
    }

    #[tokio::test]
    async fn what_takes_thinking_about_is_left_to_the_follower_with_all_behind_it() -> io::Result<()> {
        let world = World::new(false).await?;
        world.outlet.rest(Cursor::behind(10));
        world.outlet.offer(&plain(11, b"a"));
        world.outlet.offer(&frame(12, Channel::Project(PROJECT), Kind::EndsAccess, b"removed"));
        assert!(!world.outlet.offer(&told(12, Kind::Revokes(PROJECT), b"")));
        assert!(!world.outlet.offer(&plain(13, b"not to be seen")));
        assert_eq!(world.outlet.flush(), 1);
        world.wake.notified().await;
        assert_eq!(world.outlet.take_back().map(|back| back.served), Some(Cursor::behind(11)));
        Ok(())
    }

    #[tokio::test]
    async fn what_the_person_is_told_is_written_for_who_asked_for_it() -> io::Result<()> {
        for me in [false, true] {
            let world = World::new(me).await?;
            world.outlet.rest(Cursor::behind(10));
            assert_eq!(world.outlet.offer(&told(11, Kind::Plain, b"told")), me);
            assert!(!world.outlet.offer(&told(12, Kind::AlsoIn(PROJECT), b"its follower knows")));
            assert_eq!(world.outlet.state().called, me);
        }
        Ok(())
    }

    #[tokio::test]
    async fn a_full_socket_loses_nothing() -> io::Result<()> {
        let mut world = World::new(false).await?;
        world.outlet.rest(Cursor::behind(0));
        let (mut expected, mut position) = (Vec::new(), 0);
        // Until the client's window and the socket's buffer are full.
        while !world.outlet.state().called {
            position += 1;
            let bytes = format!("{position:0>60000}");
            world.outlet.offer(&plain(position, bytes.as_bytes()));
            world.outlet.flush();
            expected.push(bytes);
        }
        assert!(!world.outlet.offer(&plain(position + 1, b"not now")));
        world.wake.notified().await;
        let back = world.outlet.take_back().expect("it rested");
        let served = usize::try_from(back.served.position()).expect("small");
        let expected = expected[..served].concat();
        let written = expected.len() - back.unsent.len();
        assert_eq!(world.read(written).await? + std::str::from_utf8(&back.unsent).expect("digits"), expected);
        Ok(())
    }

    #[tokio::test]
    async fn what_is_worth_nothing_later_is_written_whole_or_not_at_all_and_only_at_rest() -> io::Result<()> {
        let mut world = World::new(false).await?;
        let piece = Bytes::from(format!("{:0>40001}", 7));
        assert!(!world.outlet.write_passing(&piece), "the follower is at work");
        world.outlet.rest(Cursor::behind(1));
        let written = (0..1000).take_while(|_| world.outlet.write_passing(&piece)).count();
        assert!((1..1000).contains(&written), "the socket is full at some time: {written}");
        let back = world.outlet.take_back().expect("it rested");
        assert_eq!(back.served, Cursor::behind(1));
        let got = world.read(written * piece.len() - back.unsent.len()).await?;
        assert_eq!(got.into_bytes(), piece.repeat(written)[..written * piece.len() - back.unsent.len()]);
        assert!(piece.ends_with(&back.unsent));
        Ok(())
    }
}
