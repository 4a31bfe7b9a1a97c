//! Registry of all metrics: their names, kinds, units, labels and help texts. Other code records them through these
//! functions only, so that a metric cannot be recorded under two names or with other labels.

use ::metrics::{Counter, Gauge, Histogram, SharedString, Unit};

/// Kind of a metric, as in Prometheus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Declaration of a metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub unit: Unit,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

/// Declares each metric as `kind function(labels) = name, unit`; the doc comment is its help text.
macro_rules! registry {
    (@handle counter) => { Counter };
    (@handle gauge) => { Gauge };
    (@handle histogram) => { Histogram };
    (@kind counter) => { Kind::Counter };
    (@kind gauge) => { Kind::Gauge };
    (@kind histogram) => { Kind::Histogram };
    ($($(#[doc = $help:literal])+ $kind:ident $function:ident($($label:ident),*) = $name:literal, $unit:ident;)*) => {
        $(
            $(#[doc = $help])+
            pub fn $function($($label: impl Into<SharedString>),*) -> registry!(@handle $kind) {
                ::metrics::$kind!($name $(, stringify!($label) => $label)*)
            }
        )*

        /// All metrics of the program.
        pub const ALL: &[Metric] = &[$(Metric {
            name: $name,
            kind: registry!(@kind $kind),
            unit: Unit::$unit,
            labels: &[$(stringify!($label)),*],
            help: concat!($($help),+).trim_ascii(),
        }),*];
    };
}

registry! {
    /// Position up to which the read tables contain the log.
    gauge projected_position() = "taskfold_projected_position", Count;
    /// Position of the last message on the stream.
    gauge published_position() = "taskfold_published_position", Count;
    /// Events that this process applied to the read tables.
    counter projected_events() = "taskfold_projected_events_total", Count;
    /// Events that this process published on the stream.
    counter published_events() = "taskfold_published_events_total", Count;
    /// 1 while this process is the active projector, else 0.
    gauge projector_leads() = "taskfold_projector_leads", Count;
    /// Events that could not be applied to the read tables, by kind of aggregate.
    gauge dead_letters(kind) = "taskfold_dead_letters", Count;
    /// Batches tried again in smaller parts, because an event of them could not be projected.
    counter projection_retries() = "taskfold_projection_retries_total", Count;
    /// Unix time at which the worker last succeeded, even if it had nothing to do.
    gauge worker_last_success(worker) = "taskfold_worker_last_success_timestamp_seconds", Seconds;

    /// Commands in one append call.
    histogram append_batch_commands() = "taskfold_append_batch_commands", Count;
    /// Commands refused because rows are missing in the side tables of the append.
    counter append_incomplete() = "taskfold_append_incomplete_total", Count;
    /// Append calls sent again because the database did not answer.
    counter append_retries() = "taskfold_append_retries_total", Count;
    /// Commands decided again, by kind of aggregate and conflict: the version of the aggregate, that of another one
    /// that was read, or the rank.
    counter command_retries(kind, conflict) = "taskfold_command_retries_total", Count;
    /// Commands that were not applied, by kind of aggregate and reason.
    counter command_failures(kind, reason) = "taskfold_command_failures_total", Count;
    /// Locks of the log for a single command that had lost several times to other processes.
    counter log_holds() = "taskfold_log_holds_total", Count;
    /// Aggregates loaded for a command, by kind and source.
    counter aggregate_loads(kind, from) = "taskfold_aggregate_loads_total", Count;
    /// Cache lookups, by cache and outcome (hit or miss).
    counter cache_lookups(cache, outcome) = "taskfold_cache_lookups_total", Count;

    /// Position up to which live streams have been fed.
    gauge hub_position() = "taskfold_hub_position", Count;
    /// 1 for the source that feeds live streams (JetStream or PostgreSQL), 0 for the other.
    gauge hub_source(source) = "taskfold_hub_source", Count;
    /// 1 while live streams are fed from PostgreSQL because JetStream is unavailable, else 0.
    gauge hub_degraded() = "taskfold_hub_degraded", Count;
    /// Frames fed to live streams, by source.
    counter hub_frames(source) = "taskfold_hub_frames_total", Count;
    /// Channels in memory: projects and persons.
    gauge hub_channels() = "taskfold_hub_channels", Count;
    /// Restarts of all live streams because the log lacked events that they had sent.
    counter hub_restarts() = "taskfold_hub_restarts_total", Count;
    /// Open live streams.
    gauge sse_connections() = "taskfold_sse_connections", Count;
    /// Frames sent on live streams.
    counter sse_frames() = "taskfold_sse_frames_total", Count;
    /// Reads of the log by live streams that resumed or fell behind.
    counter sse_catch_up_reads() = "taskfold_sse_catch_up_reads_total", Count;
    /// Ends of live streams, by reason.
    counter stream_ends(reason) = "taskfold_stream_ends_total", Count;
    /// Stream requests that were not accepted, by reason.
    counter sse_refused(reason) = "taskfold_sse_refused_total", Count;
    /// Devices that are present, as known to this process.
    gauge presence_devices() = "taskfold_presence_devices", Count;
    /// Presence frames dropped because a client was slow.
    counter presence_frames_dropped() = "taskfold_presence_frames_dropped_total", Count;

    /// Sign-ins, and tokens and links created, used or revoked, by action and outcome (done or refused).
    counter authority_actions(action, outcome) = "taskfold_authority_actions_total", Count;

    /// HTTP requests, by method, route and status.
    counter http_requests(method, route, status) = "taskfold_http_requests_total", Count;
    /// Time from a request to the head of its response.
    histogram http_request_seconds(method, route) = "taskfold_http_request_seconds", Seconds;
    /// Open HTTP connections.
    gauge http_connections() = "taskfold_http_connections", Count;
    /// Requests refused because their caller had sent too many within a minute, by kind of request.
    counter rate_limited(kind) = "taskfold_rate_limited_total", Count;
    /// Connections rejected because their address had too many.
    counter http_rejected() = "taskfold_http_rejected_total", Count;
    /// Connections that ended with an error, by reason.
    counter http_connection_errors(reason) = "taskfold_http_connection_errors_total", Count;
    /// Failures to accept a connection.
    counter http_accept_errors() = "taskfold_http_accept_errors_total", Count;

    /// Database connections, by role and state (in_use or idle).
    gauge database_connections(role, state) = "taskfold_database_connections", Count;
    /// Maximum number of database connections, by role.
    gauge database_connections_limit(role) = "taskfold_database_connections_limit", Count;
    /// Wait for a database connection at the time of the scrape, at most 1 s, by role.
    gauge database_connection_wait(role) = "taskfold_database_connection_wait_seconds", Seconds;
    /// Difference between the database's clock and this machine's.
    gauge clock_offset() = "taskfold_clock_offset_seconds", Seconds;
    /// Resident memory of the process.
    gauge resident_memory() = "process_resident_memory_bytes", Bytes;
}

/// Counts a lookup in a cache.
pub fn cache_looked_up(cache: &'static str, found: bool) {
    cache_lookups(cache, if found { "hit" } else { "miss" }).increment(1);
}

/// Gives the recorder the unit and help text of every metric. Runs once, after the recorder is installed.
pub fn describe() {
    for Metric { name, kind, unit, help, .. } in ALL.iter().copied() {
        match kind {
            Kind::Counter => ::metrics::describe_counter!(name, unit, help),
            Kind::Gauge => ::metrics::describe_gauge!(name, unit, help),
            Kind::Histogram => ::metrics::describe_histogram!(name, unit, help),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Rows of the table of metrics in the operating manual: name, kind and labels.
    fn documented() -> Vec<String> {
        let manual = include_str!("../../../docs/operating.md");
        let rows = manual.lines().skip_while(|line| !line.starts_with("| metric |")).skip(2);
        rows.take_while(|line| line.starts_with('|'))
            .map(|row| row.split(" | ").take(3).collect::<Vec<_>>().join(" | ").trim_start_matches("| ").to_owned())
            .collect()
    }

    #[test]
    fn the_operating_manual_documents_every_metric_and_no_other() {
        let declared = ALL.iter().map(|metric| {
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            format!("`{}` | {} | {}", metric.name, format!("{:?}", metric.kind).to_lowercase(), labels.join(", "))
        });
        let documented = documented();
        let unique: BTreeSet<String> = documented.iter().map(|row| row.trim_end().to_owned()).collect();
        assert_eq!(unique.len(), documented.len(), "a metric has two rows");
        assert_eq!(unique, declared.map(|row| row.trim_end().to_owned()).collect());
    }

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        for metric in ALL {
            assert_eq!(metric.kind == Kind::Counter, metric.name.ends_with("_total"), "{}", metric.name);
            assert_eq!(metric.unit == Unit::Seconds, metric.name.ends_with("_seconds"), "{}", metric.name);
            assert!(metric.help.ends_with('.') && !metric.help.contains("  "), "{}", metric.name);
        }
    }
}
