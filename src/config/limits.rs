//! How much of the program its clients may take.

use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;
use nix::sys::resource::{Resource, getrlimit};

/// Open files that are not connections of clients: those to the servers, and of attachments on their way.
const OTHER_FILES: u32 = 500;
const LEAST: u32 = 100;
const MOST: u32 = 100_000;
const PRESENCE_SECONDS: u32 = 30;

/// As they are written.
#[derive(Debug, Args)]
pub(super) struct LimitFlags {
    /// Connections of clients at one time; by default what the limit of open files leaves, at most 100000
    #[arg(long, env = "TASKFOLD_MAX_CONNECTIONS", global = true)]
    max_connections: Option<String>,
    /// Of these, from one address; by default four in five. Behind a balancer all have its address
    #[arg(long, env = "TASKFOLD_MAX_CONNECTIONS_PER_ADDRESS", global = true)]
    max_connections_per_address: Option<String>,
    /// Streams of one person on one instance; by default four in five of the connections
    #[arg(long, env = "TASKFOLD_MAX_STREAMS_PER_USER", global = true)]
    max_streams_per_user: Option<String>,
    /// Seconds for which somebody is present after a word of theirs
    #[arg(long, env = "TASKFOLD_PRESENCE_SECONDS", global = true)]
    presence_seconds: Option<String>,
}

/// Settings that have been checked.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections of clients.
    pub connections: NonZeroU32,
    /// Of these, from one address.
    pub per_address: NonZeroU32,
    /// Streams of one person.
    pub streams_per_user: NonZeroU32,
    /// For which somebody is present after a word of theirs.
    pub presence: Duration,
}

impl LimitFlags {
    /// `note` takes each mistake: the flag, its value, and what is wrong.
    pub(super) fn check(&self, note: &mut impl FnMut(&str, &str, &str)) -> Option<Limits> {
        let mut number = |flag: &str, value: &Option<String>, default: u32| match value.as_deref().map(str::trim) {
            None | Some("") => NonZeroU32::new(default),
            Some(text) => {
                let number = text.parse().ok().filter(|number: &NonZeroU32| number.get() <= 1_000_000);
                if number.is_none() {
                    note(flag, text, "a number from 1 to 1000000");
                }
                number
            }
        };
        let connections = number("max-connections", &self.max_connections, what_files_leave());
        // So that nobody alone can take all.
        let most = connections.map_or(MOST, NonZeroU32::get);
        let share = (most - most / 5).max(1);
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

fn what_files_leave() -> u32 {
    let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(_, hard)| u32::try_from(hard).unwrap_or(u32::MAX));
    files.saturating_sub(OTHER_FILES).clamp(LEAST, MOST)
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
    fn nobody_alone_can_take_all_places_unless_it_is_said_so() {
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
