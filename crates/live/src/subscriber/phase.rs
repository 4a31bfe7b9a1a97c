//! Phase of a stream.

use crate::stream_end::EndReason;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Reads the log until it reaches the rings. Not being in a ring is expected, and not reported.
    CatchingUp,
    /// Reads the rings. Falling behind one is reported as `lagging`.
    Live,
    /// Has been served everything and waits to be woken. Its socket, if it has one, is written by the writer threads.
    Parked,
    /// Has its last frame queued or sent.
    Ended(EndReason),
}

impl Phase {
    pub(super) fn end_reason(self) -> Option<EndReason> {
        match self {
            Self::CatchingUp | Self::Live | Self::Parked => None,
            Self::Ended(reason) => Some(reason),
        }
    }
}
