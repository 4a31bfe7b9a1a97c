//! Reasons of failed connections, for logs and metrics.

use std::error::Error;
use std::io;

use super::connection::NoAnswer;

const TIMEOUT: &str = "timeout";
const DISCONNECTED: &str = "disconnected";
const INVALID_REQUEST: &str = "invalid_request";
const OTHER: &str = "other";

/// Names the reason of an error of a connection: that of the first error in its chain of causes that tells one.
pub(super) fn reason(error: &(dyn Error + 'static)) -> &'static str {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(reason) = named(error) {
            return reason;
        }
        cause = error.source();
    }
    OTHER
}

fn named(error: &(dyn Error + 'static)) -> Option<&'static str> {
    if error.is::<tokio::time::error::Elapsed>() {
        return Some(TIMEOUT);
    }
    if let Some(no_answer) = error.downcast_ref::<NoAnswer>() {
        return match no_answer {
            NoAnswer::Disconnected => Some(DISCONNECTED),
            NoAnswer::TakenOver => None,
        };
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return of_io(error);
    }
    let error = error.downcast_ref::<hyper::Error>()?;
    if error.is_timeout() {
        Some(TIMEOUT)
    } else if error.is_parse() {
        Some(INVALID_REQUEST)
    } else {
        (error.is_incomplete_message() || error.is_closed() || error.is_canceled()).then_some(DISCONNECTED)
    }
}

fn of_io(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::TimedOut => Some(TIMEOUT),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => Some(DISCONNECTED),
        // `source` of such an error skips the one inside.
        io::ErrorKind::Other => error.get_ref().and_then(|inner| named(inner)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_inside_another_error_is_found() {
        assert_eq!(reason(&io::Error::from(io::ErrorKind::BrokenPipe)), DISCONNECTED);
        assert_eq!(reason(&io::Error::other(io::Error::from(io::ErrorKind::TimedOut))), TIMEOUT);
        assert_eq!(reason(&io::Error::other(NoAnswer::Disconnected)), DISCONNECTED);
        assert_eq!(reason(&io::Error::other("anything")), OTHER);
    }
}
