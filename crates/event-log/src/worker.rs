//! Background workers of a process, and the metric of their last success.

use crate::{ambient, metrics};

/// A background loop. One that fails tries again forever, so that only the time of its last success shows that it makes
/// no progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worker {
    /// Appends commands.
    Committer,
    /// Sends reminders of due times.
    Reminders,
    /// Runs imports.
    Imports,
    /// Deletes the bytes of removed attachments.
    Janitor,
    /// Applies the log to the read tables.
    Projector,
    /// Publishes projected events on the stream.
    Publisher,
    /// Feeds the live streams.
    LiveFeed,
    /// Reads the identity of the log.
    LogIdentity,
    /// Measures the database's clock.
    Clock,
    /// Loads the keys of sessions' tokens.
    Keys,
    /// Fetches the keys of the external issuer.
    IssuerKeys,
    /// Reads the sessions that have ended, and the accounts that are disabled.
    EndedAuthority,
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
            Self::EndedAuthority => "ended-authority",
        }
    }

    /// Records a success, even if there was nothing to do.
    #[expect(clippy::disallowed_methods, reason = "Prometheus compares it with the time of this machine")]
    pub fn succeeded(self) {
        let now = ambient::machine_time().timestamp_millis() as f64 / 1000.0;
        metrics::worker_last_success(self.name()).set(now);
    }
}
