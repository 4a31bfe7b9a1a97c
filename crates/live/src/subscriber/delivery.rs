//! Delivery state of a stream: frames that wait to be sent, and the cursors up to which it has read and sent.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::cursor::Cursor;
use crate::frame::{ControlFrame, Frame};
use crate::hub::NextFrames;
use crate::parked_socket::Resumed;

pub(super) struct Delivery {
    /// Control frames to send before anything else.
    pub(super) control: VecDeque<ControlFrame>,
    /// Frames that are read and not sent.
    pub(super) pending: VecDeque<Arc<Frame>>,
    /// Cursor up to which frames are read.
    pub(super) taken: Cursor,
    /// Cursor up to which frames are sent.
    pub(super) served: Cursor,
    /// Bytes to send first: ephemeral frames, or the rest of a frame that was sent in part.
    pub(super) unsent: Bytes,
}

impl Delivery {
    pub(super) fn new(from: Cursor, control: VecDeque<ControlFrame>) -> Self {
        Self { control, pending: VecDeque::new(), taken: from, served: from, unsent: Bytes::new() }
    }

    /// Replaces the pending frames, of which none are left, with the next.
    pub(super) fn take(&mut self, next: NextFrames) {
        self.taken = next.upto;
        self.pending = next.frames.into();
        if self.pending.is_empty() {
            self.served = self.taken;
        }
    }

    /// Takes over from the writer threads.
    pub(super) fn resume(&mut self, resumed: Resumed) {
        self.taken = resumed.served;
        self.served = resumed.served;
        self.unsent = resumed.unsent;
    }
}
