//! Writer threads: write new frames to the parked sockets.
//!
//! These are threads of their own, because a channel with thousands of subscribers keeps a core busy for a while, and
//! commands must not wait for that. Frames that arrive while the threads write leave together in the next write of
//! each socket: a busy channel costs less per frame, and a quiet one is served at once.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use taskfold_event_log::metrics;
use uuid::Uuid;

use super::channel::Channel;
use super::frame::Frame;
use super::parked_socket::ParkedSocket;

/// Upper bound on threads, which leaves further cores to other work.
const MAX_THREADS: usize = 8;

/// Batch of new frames, each with its channel.
pub type FrameBatch = Vec<(Arc<Channel>, Arc<Frame>)>;

/// Frames without an id for the subscribers of a project's channel.
pub struct EphemeralFrames {
    pub channel: Arc<Channel>,
    pub project: Uuid,
    pub frames: Vec<Bytes>,
}

/// Job of a writer thread.
#[derive(Clone)]
enum WriteJob {
    Frames(Arc<FrameBatch>),
    Ephemeral(Arc<EphemeralFrames>),
}

/// Handle of all writer threads.
pub struct WriterThreads {
    senders: Vec<Sender<WriteJob>>,
}

impl WriterThreads {
    /// Starts the threads. They end when the handle is dropped.
    pub fn start() -> io::Result<Self> {
        let count = std::thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS);
        let senders = (0..count).map(|number| {
            let (sender, jobs) = channel();
            std::thread::Builder::new()
                .name(format!("sse-writer-{number}"))
                .spawn(move || run(&jobs, number, count))
                .map(|_| sender)
        });
        Ok(Self { senders: senders.collect::<io::Result<_>>()? })
    }

    pub fn write(&self, batch: FrameBatch) {
        self.dispatch(&WriteJob::Frames(Arc::new(batch)));
    }

    /// Writes ephemeral frames, after the batches that were sent before.
    pub fn write_ephemeral(&self, frames: EphemeralFrames) {
        self.dispatch(&WriteJob::Ephemeral(Arc::new(frames)));
    }

    fn dispatch(&self, job: &WriteJob) {
        for sender in &self.senders {
            // A thread ends only after its sender.
            let _ = sender.send(job.clone());
        }
    }
}

fn run(jobs: &Receiver<WriteJob>, number: usize, count: usize) {
    let mut to_flush: Vec<Arc<ParkedSocket>> = Vec::new();
    let mut ephemeral: Vec<Arc<EphemeralFrames>> = Vec::new();
    while let Ok(first) = jobs.recv() {
        for job in std::iter::once(first).chain(jobs.try_iter()) {
            match job {
                WriteJob::Frames(batch) => enqueue(&batch, number, count, &mut to_flush),
                WriteJob::Ephemeral(frames) => ephemeral.push(frames),
            }
        }
        let frames: usize = to_flush.drain(..).map(|socket| socket.flush()).sum();
        metrics::sse_frames().increment(frames as u64);
        // After the events, which must not wait for them.
        for ephemeral in ephemeral.drain(..) {
            ephemeral.channel.each_ephemeral_queue(|queue| {
                if queue.is_served_by(number, count) {
                    ephemeral.frames.iter().for_each(|frame| queue.push(ephemeral.project, frame));
                }
            });
        }
    }
}

fn enqueue(batch: &FrameBatch, number: usize, count: usize, to_flush: &mut Vec<Arc<ParkedSocket>>) {
    for (channel, frame) in batch {
        channel.each_parked_socket(|socket| {
            if socket.writer % count == number && socket.enqueue(frame) {
                to_flush.push(Arc::clone(socket));
            }
        });
    }
}
