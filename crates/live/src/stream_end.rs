//! Ends of streams: each one is logged once with its reason, and counted by reason.

use std::io;

use taskfold_event_log::metrics;
use tokio::time::Instant;
use tracing::Span;
use uuid::Uuid;

/// Reasons why a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The client closed the connection, or the connection broke.
    ClientClosed,
    /// The client accepted no data for too long.
    ClientStalled,
    /// The client sent data on the connection of the stream.
    UnexpectedInput,
    /// The log lacks events that the stream was sent.
    Reset,
    /// The instance is shutting down.
    Drain,
    TokenExpired,
    TokenRevoked,
    /// The user lost access to the last project of the stream.
    AccessRevoked,
}

impl EndReason {
    /// Value of the field and label `reason`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientClosed => "client-closed",
            Self::ClientStalled => "client-stalled",
            Self::UnexpectedInput => "unexpected-input",
            Self::Reset => "reset",
            Self::Drain => "drain",
            Self::TokenExpired => "token-expired",
            Self::TokenRevoked => "token-revoked",
            Self::AccessRevoked => "access-revoked",
        }
    }
}

impl From<&io::Error> for EndReason {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::ClientStalled,
            io::ErrorKind::InvalidData => Self::UnexpectedInput,
            _ => Self::ClientClosed,
        }
    }
}

/// Record of an open stream for logs and metrics.
pub struct StreamRecord {
    stream: Uuid,
    user: Uuid,
    opened_at: Instant,
    span: Span,
}

impl StreamRecord {
    pub fn new(stream: Uuid, user: Uuid) -> Self {
        metrics::sse_connections().increment(1);
        // At debug level: a span takes memory for as long as its stream is open.
        let span = tracing::debug_span!("stream", stream_id = %stream, user_id = %user);
        Self { stream, user, opened_at: Instant::now(), span }
    }

    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Logs and counts the end of the stream, which was served up to `position`.
    pub fn end(&self, reason: EndReason, position: i64) {
        let reason = reason.as_str();
        metrics::stream_ends(reason).increment(1);
        tracing::info!(
            stream_id = %self.stream,
            user_id = %self.user,
            reason,
            position,
            duration_s = self.opened_at.elapsed().as_secs_f64(),
            "stream ended"
        );
    }
}

impl Drop for StreamRecord {
    fn drop(&mut self) {
        metrics::sse_connections().decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_connection_have_reasons() {
        let reason = |kind: io::ErrorKind| EndReason::from(&io::Error::from(kind)).as_str();
        assert_eq!(reason(io::ErrorKind::TimedOut), "client-stalled");
        assert_eq!(reason(io::ErrorKind::InvalidData), "unexpected-input");
        assert_eq!(reason(io::ErrorKind::ConnectionReset), "client-closed");
    }
}
