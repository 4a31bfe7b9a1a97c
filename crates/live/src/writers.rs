use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use uuid::Uuid;

use super::frame::Frame;
use super::outlet::Outlet;
use super::room::Room;

/// More than this many cores have better things to do.
const MOST: usize = 8;

/// A frame, and the room in which it is news.
pub type News = Vec<(Arc<Room>, Arc<Frame>)>;

/// What is worth nothing later, for a room.
pub struct Passing {
    pub room: Arc<Room>,
    /// Whose room it is.
    pub of: Uuid,
    pub pieces: Vec<Bytes>,
}

/// What a thread has to do.
#[derive(Clone)]
enum Work {
    Write(Arc<News>),
    Pass(Arc<Passing>),
}

/// The threads that write to the sockets of streams at rest. Threads of their own, because a room of thousands keeps a core busy
/// for a while, and commands must not wait for that. While they write, the next news collects, and leaves in one write a
/// socket: so a busy room costs less a frame, and a quiet one never waits.
pub struct Writers {
    threads: Vec<Sender<Work>>,
}

impl Writers {
    /// They end when this is dropped.
    pub fn start() -> io::Result<Self> {
        let count = std::thread::available_parallelism().map_or(1, NonZero::get).min(MOST);
        let threads = (0..count).map(|number| {
            let (sender, work) = channel();
            std::thread::Builder::new()
                .name(format!("sse-writer-{number}"))
                .spawn(move || write(&work, number, count))
                .map(|_| sender)
        });
        Ok(Self { threads: threads.collect::<io::Result<_>>()? })
    }

    pub fn send(&self, news: News) {
        self.give(&Work::Write(Arc::new(news)));
    }

    /// Behind the news that was sent before.
    pub fn pass(&self, passing: Passing) {
        self.give(&Work::Pass(Arc::new(passing)));
    }

    fn give(&self, work: &Work) {
        for thread in &self.threads {
            // A thread ends after its sender only.
            let _ = thread.send(work.clone());
        }
    }
}

fn write(work: &Receiver<Work>, number: usize, count: usize) {
    let mut lined_up: Vec<Arc<Outlet>> = Vec::new();
    let mut passing: Vec<Arc<Passing>> = Vec::new();
    while let Ok(first) = work.recv() {
        for work in std::iter::once(first).chain(work.try_iter()) {
            match work {
                Work::Write(news) => line_up(&news, number, count, &mut lined_up),
                Work::Pass(one) => passing.push(one),
            }
        }
        let frames: usize = lined_up.drain(..).map(|outlet| outlet.flush()).sum();
        metrics::counter!("taskfold_sse_frames_total").increment(frames as u64);
        // After the events, which are not kept waiting.
        for passing in passing.drain(..) {
            passing.room.each_ear(|ear| {
                if ear.is_of(number, count) {
                    passing.pieces.iter().for_each(|piece| ear.say(passing.of, piece));
                }
            });
        }
    }
}

fn line_up(news: &News, number: usize, count: usize, lined_up: &mut Vec<Arc<Outlet>>) {
    for (room, frame) in news {
        room.each_outlet(|outlet| {
            if outlet.writer % count == number && outlet.offer(frame) {
                lined_up.push(Arc::clone(outlet));
            }
        });
    }
}
