//! Settings of limits: connections, streams and presence.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;
use nix::sys::resource::{Resource, getrlimit};

/// File descriptors reserved for purposes other than client connections: connections to the servers, and attachments.
const OTHER_FILES: u32 = 500;
/// Lower bound of the default number of connections.
const MIN_CONNECTIONS: u32 = 100;
/// Upper bound of the default number of connections.
const MAX_CONNECTIONS: u32 = 100_000;
/// Default duration of presence.
const PRESENCE_SECONDS: u32 = 30;

/// Flags as they were given.
#[derive(Debug, Args)]
pub(super) struct LimitFlags {
    /// Maximum number of client connections [default: what the limit of open files allows, at most 100000]
    #[arg(long, env = "TASKFOLD_MAX_CONNECTIONS", global = true)]
    max_connections: Option<String>,
    /// Maximum number of connections from one address, which behind a load balancer is that of the balancer [default:
    /// 80 % of all]
    #[arg(long, env = "TASKFOLD_MAX_CONNECTIONS_PER_ADDRESS", global = true)]
    max_connections_per_address: Option<String>,
    /// Maximum number of streams of one person on one instance [default: 80 % of the connections]
    #[arg(long, env = "TASKFOLD_MAX_STREAMS_PER_USER", global = true)]
    max_streams_per_user: Option<String>,
    /// Seconds for which a person stays present after a heartbeat [default: 30]
    #[arg(long, env = "TASKFOLD_PRESENCE_SECONDS", global = true)]
    presence_seconds: Option<String>,
}

/// Checked settings.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Maximum number of client connections.
    pub connections: NonZeroU32,
    /// Maximum number of connections from one address.
    pub per_address: NonZeroU32,
    /// Maximum number of streams of one person.
    pub streams_per_user: NonZeroU32,
    /// Time for which a person stays present after a heartbeat.
    pub presence: Duration,
}

impl LimitFlags {
    /// Checks the flags. `note` receives each mistake: the flag, its value, and the error.
    pub(super) fn check(&self, note: &mut impl FnMut(&str, &str, &str)) -> Option<Limits> {
        let mut number = |flag: &str, value: &Option<String>, default: u32| match value.as_deref().map(str::trim) {
            None | Some("") => NonZeroU32::new(default),
            Some(text) => {
                let number = text.parse().ok().filter(|number: &NonZeroU32| number.get() <= 1_000_000);
                if number.is_none() {
                    note(flag, text, "must be a number from 1 to 1000000");
                }
                number
            }
        };
        let connections = number("max-connections", &self.max_connections, default_connections());
        // No single client can use all connections.
        let max = connections.map_or(MAX_CONNECTIONS, NonZeroU32::get);
        let share = (max - max / 5).max(1);
        let per_address = number("max-connections-per-address", &self.max_connections_per_address, share);
        let streams_per_user = number("max-streams-per-user", &self.max_streams_per_user, share);
        let presence_seconds = number("presence-seconds", &self.presence_seconds, PRESENCE_SECONDS);
        Some(Limits {
            connections: connections?,
            per_address: per_address?,
            streams_per_user: streams_per_user?,
            presence: Duration::from_secs(presence_seconds?.get().into()),
        })
    }
}

/// Default number of connections: what the limit of open files allows.
fn default_connections() -> u32 {
    let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(_, hard)| u32::try_from(hard).unwrap_or(u32::MAX));
    files.saturating_sub(OTHER_FILES).clamp(MIN_CONNECTIONS, MAX_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(connections: Option<&str>, per_address: Option<&str>) -> Result<Limits, Vec<String>> {
        let text = |value: Option<&str>| value.map(str::to_owned);
        let flags = LimitFlags {
            max_connections: text(connections),
            max_connections_per_address: text(per_address),
            max_streams_per_user: None,
            presence_seconds: None,
        };
        let mut mistakes = Vec::new();
        let checked = flags.check(&mut |flag, value, _| mistakes.push(format!("{flag}={value}")));
        checked.filter(|_| mistakes.is_empty()).ok_or(mistakes)
    }

    #[test]
    fn no_client_can_use_all_connections_by_default() {
        let given = limits(Some("1000"), None).expect("right");
        assert_eq!((given.connections.get(), given.per_address.get(), given.streams_per_user.get()), (1000, 800, 800));
        let given = limits(Some("1"), Some("5")).expect("right");
        assert_eq!((given.per_address.get(), given.streams_per_user.get()), (5, 1));
        let none = limits(None, Some("")).expect("right");
        assert!(none.per_address < none.connections);
        assert_eq!(
            limits(Some("0"), Some("x")).expect_err("wrong"),
            ["max-connections=0", "max-connections-per-address=x"]
        );
    }
}
