//! Work that a process does again and again, and when it last came through.

use crate::metrics;

/// A worker: a loop beside the requests. One that fails tries again for ever, so its last success is what tells that it does not get on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worker {
    /// Appends commands.
    Committer,
    /// Sends reminders of due times.
    Reminders,
    /// Works on imports.
    Imports,
    /// Removes the bytes of attachments that nobody needs.
    Janitor,
    /// Brings the read tables up to the log.
    Projector,
    /// Brings the stream up to the read tables.
    Publisher,
    /// Brings the live streams up to the read tables.
    LiveFeed,
    /// Asks which log it is.
    LogIdentity,
    /// Measures the database's clock.
    Clock,
    /// Loads the keys of sessions' tokens.
    Keys,
    /// Fetches the keys of the outside issuer.
    IssuerKeys,
}

impl Worker {
    fn name(self) -> &'static str {
        match self {
            Self::Committer => "committer",
            Self::Reminders => "reminders",
            Self::Imports => "imports",
            Self::Janitor => "janitor",
            Self::Projector => "projector",
            Self::Publisher => "publisher",
            Self::LiveFeed => "live-feed",
            Self::LogIdentity => "log-identity",
            Self::Clock => "clock",
            Self::Keys => "keys",
            Self::IssuerKeys => "issuer-keys",
        }
    }

    /// It has come through once more, also where there was nothing to do.
    #[expect(clippy::disallowed_methods, reason = "Prometheus compares it with the time of this machine")]
    pub fn succeeded(self) {
        let now = chrono::Utc::now().timestamp_millis() as f64 / 1000.0;
        metrics::worker_last_success(self.name()).set(now);
    }
}
