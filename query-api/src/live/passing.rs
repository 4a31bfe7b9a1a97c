//! What passes: frames that are worth something only now, such as who is present. They wait in a short line for a stream that
//! has nothing better to do, and are the first to go when it has.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use tokio::sync::Notify;
use uuid::Uuid;

use super::frame::encode;

/// Frames that wait for one stream.
const LINE: usize = 32;

/// The line of one stream.
pub struct Passing {
    wake: Arc<Notify>,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    frames: VecDeque<(Uuid, Bytes)>,
    /// Some have gone unseen: the client has to ask.
    missed: bool,
}

impl Passing {
    pub fn new(wake: Arc<Notify>) -> Self {
        Self { wake, line: Mutex::default() }
    }

    /// Lines up a frame about a project.
    pub fn push(&self, project: Uuid, frame: &Bytes) {
        let mut line = self.line();
        if line.missed {
            return;
        }
        if line.frames.len() == LINE {
            // All of them: what comes later says nothing without what came before.
            metrics::counter!("taskfold_presence_dropped_total").increment(LINE as u64);
            line.frames = VecDeque::new();
            line.missed = true;
        } else {
            line.frames.push_back((project, frame.clone()));
        }
        self.wake.notify_one();
    }

    pub fn is_empty(&self) -> bool {
        let line = self.line();
        line.frames.is_empty() && !line.missed
    }

    /// What is in line for these projects. Empty when there is nothing.
    pub fn take(&self, follows: impl Fn(Uuid) -> bool) -> Bytes {
        let line = std::mem::take(&mut *self.line());
        if line.missed {
            return encode(None, "presence.stale", None, "{}");
        }
        let frames = line.frames.into_iter().filter(|(project, _)| follows(*project));
        frames.map(|(_, frame)| frame).collect::<Vec<_>>().concat().into()
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: Uuid = Uuid::from_u128(1);

    #[tokio::test]
    async fn a_slow_stream_keeps_a_short_line_and_is_told_that_it_missed_something() {
        let wake = Arc::new(Notify::new());
        let passing = Passing::new(Arc::clone(&wake));
        passing.push(PROJECT, &Bytes::from_static(b"a"));
        passing.push(Uuid::nil(), &Bytes::from_static(b"of another project"));
        passing.push(PROJECT, &Bytes::from_static(b"b"));
        wake.notified().await;
        assert_eq!(passing.take(|project| project == PROJECT), "ab");
        assert!(passing.is_empty() && passing.take(|_| true).is_empty());
        for _ in 0..1000 {
            passing.push(PROJECT, &Bytes::from_static(b"x"));
            assert!(passing.line().frames.len() <= LINE);
        }
        assert_eq!(passing.take(|_| true), "event: presence.stale\ndata: {}\n\n");
        passing.push(PROJECT, &Bytes::from_static(b"c"));
        assert_eq!(passing.take(|_| true), "c");
    }
}
