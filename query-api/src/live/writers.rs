use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::frame::Frame;
use super::outlet::Outlet;
use super::room::Room;

/// More than this many cores have better things to do.
const MOST: usize = 8;

/// A frame, and the room in which it is news.
pub type News = Vec<(Arc<Room>, Arc<Frame>)>;

/// The threads that write to the sockets of streams at rest. Threads of their own, because a room of thousands keeps a core busy
/// for a while, and commands must not wait for that. While they write, the next news collects, and leaves in one write a
/// socket: so a busy room costs less a frame, and a quiet one never waits.
pub struct Writers {
    threads: Vec<Sender<Arc<News>>>,
}

impl Writers {
    /// They end when this is dropped.
    pub fn start() -> io::Result<Self> {
        let count = std::thread::available_parallelism().map_or(1, NonZero::get).min(MOST);
        let threads = (0..count).map(|number| {
            let (sender, news) = channel();
            std::thread::Builder::new()
                .name(format!("sse-writer-{number}"))
                .spawn(move || write(&news, number, count))
                .map(|_| sender)
        });
        Ok(Self { threads: threads.collect::<io::Result<_>>()? })
    }

    pub fn send(&self, news: News) {
        let news = Arc::new(news);
        for thread in &self.threads {
            // A thread ends after its sender only.
            let _ = thread.send(Arc::clone(&news));
        }
    }
}

fn write(news: &Receiver<Arc<News>>, number: usize, count: usize) {
    let mut lined_up: Vec<Arc<Outlet>> = Vec::new();
    while let Ok(first) = news.recv() {
        for news in std::iter::once(first).chain(news.try_iter()) {
            for (room, frame) in &*news {
                room.each_outlet(|outlet| {
                    if outlet.writer % count == number && outlet.offer(frame) {
                        lined_up.push(Arc::clone(outlet));
                    }
                });
            }
        }
        let frames: usize = lined_up.drain(..).map(|outlet| outlet.flush()).sum();
        metrics::counter!("taskfold_sse_frames_total").increment(frames as u64);
    }
}
