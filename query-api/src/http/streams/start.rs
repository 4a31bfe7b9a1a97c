//! Start of a stream: the cursor from which a client asks to continue.

use http::HeaderMap;
use taskfold_live::Cursor;
use taskfold_web::headers::LAST_EVENT_ID;

use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::values::Since;

/// Query parameters that all stream requests have.
pub struct StreamQuery<'a> {
    pub since: Option<Since>,
    /// In order of precedence.
    pub last_event_ids: [Option<&'a str>; 2],
    pub ticket: Option<&'a str>,
    pub presence: bool,
}

/// Start of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// At the head of the log.
    Head,
    /// At a position that the client has read, for the first time.
    Since(Since),
    /// After the frame with this id, of this epoch of the log.
    LastEvent(Cursor, usize),
    /// After a frame with an id that is not valid in this log.
    UnknownEvent,
}

impl Start {
    pub(super) fn of(headers: &HeaderMap, query: &StreamQuery<'_>) -> Self {
        // A repeated header is not an error here: a client that reconnects can only read errors in the stream.
        let mut values = headers.get_all(LAST_EVENT_ID).iter();
        let header = match (values.next(), values.next()) {
            (None, _) => None,
            (Some(value), None) => Some(value.to_str().unwrap_or("?").trim()),
            (Some(_), Some(_)) => Some("?"),
        };
        // A client that has received no frame sends an empty id (WHATWG HTML, 9.2.3).
        let last = [header].into_iter().chain(query.last_event_ids).flatten().find(|id| !id.is_empty());
        match (last, query.since) {
            (Some(id), _) => {
                Cursor::parse(id).map_or(Self::UnknownEvent, |(cursor, epoch)| Self::LastEvent(cursor, epoch))
            }
            (None, Some(since)) => Self::Since(since),
            (None, None) => Self::Head,
        }
    }

    pub(super) fn cursor(self) -> Option<Cursor> {
        match self {
            Self::Since(Since { cursor, .. }) | Self::LastEvent(cursor, _) => Some(cursor),
            Self::Head | Self::UnknownEvent => None,
        }
    }

    /// Translates the start to the current log, which may differ from the client's after a restore.
    pub(super) fn resume(self, app: &App) -> Result<Self, ReadError> {
        match self {
            Self::LastEvent(cursor, epoch) if app.hub.resume((cursor, epoch)).is_none() => Ok(Self::UnknownEvent),
            Self::Since(since) => since.resume(&app.hub).map(|_| self),
            Self::Head | Self::LastEvent(..) | Self::UnknownEvent => Ok(self),
        }
    }

    /// Returns whether the client reconnects, and can read refusals only as frames of a stream.
    pub(super) fn is_reconnect(self) -> bool {
        match self {
            Self::LastEvent(..) | Self::UnknownEvent => true,
            Self::Head | Self::Since(_) => false,
        }
    }

    /// Returns whether a log that ends at `head` cannot be continued from here.
    pub(super) fn is_beyond(self, head: i64) -> bool {
        match self {
            Self::UnknownEvent => true,
            Self::Head => false,
            Self::Since(Since { cursor, .. }) | Self::LastEvent(cursor, _) => cursor.position() > head,
        }
    }
}
