//! Integration tests of the whole system: real PostgreSQL, real nats-server, real HTTP.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot continue panics")]

/// Starts the system and its clients.
mod harness;

/// Tokens for scripts and services.
mod api_tokens;
/// One call of the append.
mod append;
/// Dependencies between crates.
mod architecture;
/// Attachments of tasks.
mod attachments;
/// Credentials carry no more than the authority behind them, and end with it.
mod authority;
/// Tests in a real browser.
mod browser;
/// Calendars, also for programs that cannot sign in.
mod calendar;
/// Commands and their replies.
mod commands;
/// Comments, watchers, notifications.
mod comments_and_notifications;
/// Compressed responses.
mod compression;
/// The append from several processes.
mod concurrent_appends;
/// Rights of the database roles.
mod database_roles;
/// ETags.
mod etags;
/// What one person can use up.
mod fair_shares;
/// Failures of every component.
mod faults;
/// Messages of others on the stream.
mod forged_messages;
/// Reads right after writes.
mod fresh_reads;
/// The frozen JSON of events.
mod frozen;
/// Restarts of instances under load.
mod graceful_shutdown;
/// Readiness.
mod health;
/// Ids of projects, teams, tasks and people.
mod ids;
/// Imports from other programs.
mod imports;
/// Invalid requests to every route.
mod invalid_requests;
/// Invitations by a link.
mod invitations;
/// Dependencies, subtasks, due times, project templates.
mod links_templates_and_bulk;
/// Spans, access lines and request ids.
mod logs;
/// Reads of a log with mostly events of other people.
mod long_log;
/// Notifications and past memberships.
mod memberships;
/// Limits, roles and event types as clients read them.
mod meta;
/// Names, titles and media types.
mod names;
/// Operation without NATS.
mod nats_outages;
/// Sign-in to NATS, and the permissions that it needs.
mod nats_permissions;
/// Tokens of an external issuer.
mod oidc;
/// Check that the OpenAPI files match the code.
mod openapi;
/// PostgreSQL in its packaged configuration.
mod packaged_postgres;
/// Failures of PostgreSQL.
mod postgres_failures;
/// Presence.
mod presence;
/// The previous release on this schema.
mod previous_release;
/// The private nats-server: its users and its privileges.
mod private_nats;
/// Kills of every process under load.
mod process_kills;
/// Read tables, checkpoint, dead letters, takeover.
mod projector;
/// REST reads.
mod reads;
/// Rebuild of the read tables from the log under load.
mod rebuild;
/// References to what goes away.
mod references;
/// Bodies that are refused.
mod request_bodies;
/// Headers that restrict what a browser does with a response.
mod response_headers;
/// A log that is restored to an earlier state.
mod restore;
/// Every command and every read with every role.
mod roles;
/// Rows visible to the query-api's database role.
mod row_security;
/// Commands of the documented runbooks.
mod runbook;
/// Full-text search.
mod search;
/// Secrets in settings.
mod secrets;
/// Accounts, sessions and tokens.
mod sessions;
/// Side tables of the append.
mod side_tables;
/// A nats-server whose stream accepts no messages.
mod stalled_stream;
/// Open streams that are changed, and limits on their number.
mod stream_changes;
/// Live streams.
mod streams;
/// Processes that are suspended.
mod suspended;
/// Teams and their roles in projects.
mod teams;
/// Rows and events that cannot be read.
mod unreadable_rows;
/// Servers that do not respond.
mod unresponsive_servers;
/// Detection of planted inconsistencies.
mod verify;
/// Board windows, lists, and a person's own tasks.
mod views;
