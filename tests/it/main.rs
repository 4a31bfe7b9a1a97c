//! Integration tests of the whole system: real PostgreSQL, real nats-server, real HTTP.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so")]

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
/// Invalid requests to every route.
mod bad_input;
/// Rows and events that cannot be read.
mod bad_rows;
/// Operation without NATS.
mod broker;
/// Tests in a real browser.
mod browser;
/// Calendars, also for programs that cannot sign in.
mod calendar;
/// Open streams that are changed, and limits on their number.
mod channels;
/// Commands and their replies.
mod commands;
/// Kills of every process under load.
mod crashes;
/// ETags.
mod etags;
/// Failures of every component.
mod faults;
/// The frozen JSON of events.
mod frozen;
/// A nats-server whose stream accepts no messages.
mod frozen_stream;
/// Restarts of instances under load.
mod going_away;
/// Readiness.
mod health;
/// Imports from other programs.
mod imports;
/// Invitations by a link.
mod invitations;
/// The append from several processes.
mod log;
/// Spans, access lines and request ids.
mod logs;
/// Reads of a log with mostly events of other people.
mod long_log;
/// Notifications and past memberships.
mod memberships;
/// Limits, roles and event types as clients read them.
mod meta;
/// Tokens of an external issuer.
mod oidc;
/// Check that the OpenAPI files match the code.
mod openapi;
/// Presence.
mod presence;
/// The previous release on this schema.
mod previous_release;
/// Read tables, checkpoint, dead letters, takeover.
mod projector;
/// REST reads.
mod reads;
/// Rebuild of the read tables from the log under load.
mod rebuild;
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
/// Accounts, sessions and tokens.
mod sessions;
/// Servers that do not respond.
mod silence;
/// PostgreSQL in its packaged configuration.
mod stock;
/// Live streams.
mod streams;
/// Dependencies, subtasks, due times, project templates.
mod structure;
/// Processes that are suspended.
mod suspended;
/// Comments, watchers, notifications.
mod talk;
/// Teams and their roles in projects.
mod teams;
/// Failures of PostgreSQL.
mod trouble;
/// Detection of planted inconsistencies.
mod verify;
/// Board windows, lists, and a person's own tasks.
mod views;
/// Side tables of the append.
mod write_side;
