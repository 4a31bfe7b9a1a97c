//! Settings of limits.

use std::num::NonZeroU32;

use clap::Args;
use nix::sys::resource::{Resource, getrlimit};
use taskfold_domain::limits::Configured;

use super::attachments::Attachments;

/// File descriptors reserved for purposes other than client connections: connections to the servers, and attachments.
const OTHER_FILES: u32 = 500;
/// Lower bound of the default number of connections.
const MIN_CONNECTIONS: u32 = 100;
/// Upper bound of the default number of connections.
const MAX_CONNECTIONS: u32 = 100_000;
/// Default duration of presence.
const PRESENCE_SECONDS: u32 = 30;
/// Default lifetime of a session without a refresh.
const SESSION_DAYS: u32 = 60;
/// Upper bound of the lifetime of a session.
const MAX_SESSION_DAYS: u32 = 3650;
/// Default number of concurrent uploads.
const CONCURRENT_UPLOADS: u32 = 128;
/// Default part of them that one person may have.
const UPLOADS_SHARE: u32 = 4;
/// Default number of commands of a person in a minute.
const COMMANDS_PER_MINUTE: u32 = 60_000;
/// Default number of reads of a person in a minute.
const READS_PER_MINUTE: u32 = 120_000;
/// Default number of requests of a person about files in a minute.
const UPLOADS_PER_MINUTE: u32 = 6_000;
/// Default number of imports that a person requests in a minute.
const IMPORTS_PER_MINUTE: u32 = 60;
/// Upper bound of a rate.
const MAX_RATE: u32 = 10_000_000;
/// Default size of the file of an import.
const IMPORT_BYTES: u32 = 64 * 1024 * 1024;
/// Upper bound of the size of the file of an import.
const MAX_IMPORT_BYTES: u32 = 256 * 1024 * 1024;

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
    /// Days for which a session lasts without a refresh, at most 3650 [default: 60]
    #[arg(long, env = "TASKFOLD_SESSION_DAYS", global = true)]
    session_days: Option<String>,
    /// Maximum number of uploads at one time on one command-api; each holds up to 8 MiB in memory [default: 128]
    #[arg(long, env = "TASKFOLD_CONCURRENT_UPLOADS", global = true)]
    concurrent_uploads: Option<String>,
    /// Maximum number of uploads of one person at one time on one command-api [default: a quarter of all]
    #[arg(long, env = "TASKFOLD_CONCURRENT_UPLOADS_PER_USER", global = true)]
    concurrent_uploads_per_user: Option<String>,
    /// Maximum number of requests of one person with commands in a minute on one instance; 0 for any number [default:
    /// 60000]
    #[arg(long, env = "TASKFOLD_COMMANDS_PER_MINUTE", global = true)]
    commands_per_minute: Option<String>,
    /// Maximum number of reads of one person in a minute on one instance; 0 for any number [default: 120000]
    #[arg(long, env = "TASKFOLD_READS_PER_MINUTE", global = true)]
    reads_per_minute: Option<String>,
    /// Maximum number of requests of one person with or about files in a minute; 0 for any number [default: 6000]
    #[arg(long, env = "TASKFOLD_UPLOADS_PER_MINUTE", global = true)]
    uploads_per_minute: Option<String>,
    /// Maximum number of imports that one person requests in a minute; 0 for any number [default: 60]
    #[arg(long, env = "TASKFOLD_IMPORTS_PER_MINUTE", global = true)]
    imports_per_minute: Option<String>,
    /// Maximum size of the file of an import in bytes, at most 256 MiB; it is read into memory [default: 67108864]
    #[arg(long, env = "TASKFOLD_IMPORT_BYTES", global = true)]
    import_bytes: Option<String>,
}

/// Checked settings.
#[derive(Debug, Clone)]
pub struct Limits {
    pub connections: ConnectionLimits,
    /// Limits that callers meet.
    pub callers: Configured,
}

/// Limits of client connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    pub total: NonZeroU32,
    pub per_address: NonZeroU32,
}

impl LimitFlags {
    /// Checks the flags. `note` receives each mistake: the flag, its value, and the error.
    pub(super) fn check(
        &self,
        attachments: Option<&Attachments>,
        note: &mut impl FnMut(&str, &str, &str),
    ) -> Option<Limits> {
        let mut rate = |flag: &str, value: &Option<String>, default: u32| {
            let Some(text) = value.as_deref().map(str::trim).filter(|text| !text.is_empty()) else {
                return Some(default);
            };
            let rate = text.parse().ok().filter(|rate| *rate <= MAX_RATE);
            if rate.is_none() {
                note(flag, text, &format!("must be a number from 0 to {MAX_RATE}"));
            }
            rate
        };
        let commands_per_minute = rate("commands-per-minute", &self.commands_per_minute, COMMANDS_PER_MINUTE);
        let reads_per_minute = rate("reads-per-minute", &self.reads_per_minute, READS_PER_MINUTE);
        let uploads_per_minute = rate("uploads-per-minute", &self.uploads_per_minute, UPLOADS_PER_MINUTE);
        let imports_per_minute = rate("imports-per-minute", &self.imports_per_minute, IMPORTS_PER_MINUTE);
        let mut bounded = |flag: &str, value: &Option<String>, default: u32, max: u32| {
            let Some(text) = value.as_deref().map(str::trim).filter(|text| !text.is_empty()) else {
                return NonZeroU32::new(default);
            };
            let number = text.parse().ok().filter(|number: &NonZeroU32| number.get() <= max);
            if number.is_none() {
                note(flag, text, &format!("must be a number from 1 to {max}"));
            }
            number
        };
        let import_bytes = bounded("import-bytes", &self.import_bytes, IMPORT_BYTES, MAX_IMPORT_BYTES);
        let session_days = bounded("session-days", &self.session_days, SESSION_DAYS, MAX_SESSION_DAYS);
        let mut number = |flag: &str, value: &Option<String>, default: u32| bounded(flag, value, default, 1_000_000);
        let connections = number("max-connections", &self.max_connections, default_connections());
        // No single client can use all connections.
        let max = connections.map_or(MAX_CONNECTIONS, NonZeroU32::get);
        let share = (max - max / 5).max(1);
        let per_address = number("max-connections-per-address", &self.max_connections_per_address, share);
        let streams_per_user = number("max-streams-per-user", &self.max_streams_per_user, share);
        let presence_seconds = number("presence-seconds", &self.presence_seconds, PRESENCE_SECONDS);
        let concurrent_uploads = number("concurrent-uploads", &self.concurrent_uploads, CONCURRENT_UPLOADS);
        let of_one = (concurrent_uploads.map_or(CONCURRENT_UPLOADS, NonZeroU32::get) / UPLOADS_SHARE).max(1);
        let of_one = number("concurrent-uploads-per-user", &self.concurrent_uploads_per_user, of_one);
        Some(Limits {
            connections: ConnectionLimits { total: connections?, per_address: per_address? },
            callers: Configured {
                attachment_bytes: attachments?.bytes,
                attachment_bytes_per_project: attachments?.bytes_per_project,
                concurrent_uploads: concurrent_uploads?,
                concurrent_uploads_per_user: of_one?,
                import_bytes: import_bytes?.get().into(),
                session_days: session_days?.get().cast_signed(),
                streams_per_user: streams_per_user?,
                presence_seconds: presence_seconds?.get(),
                commands_per_minute: commands_per_minute?,
                reads_per_minute: reads_per_minute?,
                uploads_per_minute: uploads_per_minute?,
                imports_per_minute: imports_per_minute?,
            },
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
    use std::path::PathBuf;

    use super::super::attachments::StoreLocation;
    use super::*;

    fn limits(connections: Option<&str>, per_address: Option<&str>) -> Result<Limits, Vec<String>> {
        limits_with(connections, per_address, None)
    }

    fn limits_with(
        connections: Option<&str>,
        per_address: Option<&str>,
        imports_per_minute: Option<&str>,
    ) -> Result<Limits, Vec<String>> {
        let text = |value: Option<&str>| value.map(str::to_owned);
        let flags = LimitFlags {
            max_connections: text(connections),
            max_connections_per_address: text(per_address),
            max_streams_per_user: None,
            presence_seconds: None,
            session_days: None,
            concurrent_uploads: None,
            concurrent_uploads_per_user: None,
            commands_per_minute: None,
            reads_per_minute: None,
            uploads_per_minute: None,
            imports_per_minute: text(imports_per_minute),
            import_bytes: None,
        };
        let mut mistakes = Vec::new();
        let folder = StoreLocation::Folder(PathBuf::new());
        let attachments = Attachments { location: folder, bytes: 1, bytes_per_project: 1 };
        let checked = flags.check(Some(&attachments), &mut |flag, value, _| mistakes.push(format!("{flag}={value}")));
        checked.filter(|_| mistakes.is_empty()).ok_or(mistakes)
    }

    #[test]
    fn no_client_can_use_all_connections_by_default() {
        let given = limits(Some("1000"), None).expect("right");
        assert_eq!(
            (given.connections.total.get(), given.connections.per_address.get(), given.callers.streams_per_user.get()),
            (1000, 800, 800)
        );
        let given = limits(Some("1"), Some("5")).expect("right");
        assert_eq!((given.connections.per_address.get(), given.callers.streams_per_user.get()), (5, 1));
        let none = limits(None, Some("")).expect("right");
        assert!(none.connections.per_address < none.connections.total);
        assert_eq!(
            limits(Some("0"), Some("x")).expect_err("wrong"),
            ["max-connections=0", "max-connections-per-address=x"]
        );
    }

    #[test]
    fn one_person_has_a_share_of_the_uploads_and_any_rate_or_none() {
        let callers = limits_with(None, None, Some("0")).expect("right").callers;
        assert_eq!((callers.concurrent_uploads.get(), callers.concurrent_uploads_per_user.get()), (128, 32));
        assert_eq!((callers.commands_per_minute, callers.imports_per_minute), (60_000, 0));
        assert_eq!(limits_with(None, None, Some("-1")).expect_err("wrong"), ["imports-per-minute=-1"]);
    }
}
