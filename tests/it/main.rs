//! The whole system through its doors: real PostgreSQL, real nats-server, real HTTP.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so")]

/// Starting the system, and people who use it.
mod harness;

/// Tokens for scripts and services.
mod api_tokens;
/// One call of the append.
mod append;
/// Who may depend on whom.
mod architecture;
/// Files on tasks.
mod attachments;
/// Wrong requests, at every route.
mod bad_input;
/// Rows and events that nobody can read.
mod bad_rows;
/// Without NATS.
mod broker;
/// What only a browser can say.
mod browser;
/// Calendars, also for programs that cannot sign in.
mod calendar;
/// Open streams that are changed, and how many there may be.
mod channels;
/// Commands and what they answer.
mod commands;
/// Killing every process under load.
mod crashes;
/// What a tag stands for.
mod etags;
/// Everything fails in every way.
mod faults;
/// The events' JSON, for good.
mod frozen;
/// A nats-server whose stream takes nothing.
mod frozen_stream;
/// Instances that are restarted under load.
mod going_away;
/// Readiness.
mod health;
/// Boards of other programs.
mod imports;
/// Joining by a link.
mod invitations;
/// The append, from several processes at once.
mod log;
/// Reads of a log that is mostly of others.
mod long_log;
/// What people are told, by what they were in then.
mod memberships;
/// Tokens of an outside issuer.
mod oidc;
/// The OpenAPI files are those of the code.
mod openapi;
/// Who is there.
mod presence;
/// The release before on this schema.
mod previous_release;
/// Read tables, checkpoint, poison, takeover.
mod projector;
/// REST reads.
mod reads;
/// Read tables anew from the log, while everything goes on.
mod rebuild;
/// A log that lacks what it had.
mod restore;
/// Every command and every read, by every role.
mod roles;
/// What the query-api's database role sees.
mod row_security;
/// Runbooks of the documentation, typed.
mod runbook;
/// What is found by its words.
mod search;
/// Accounts, sessions and tokens.
mod sessions;
/// Servers that do not answer.
mod silence;
/// PostgreSQL as packages have it.
mod stock;
/// Live streams.
mod streams;
/// Dependencies, parts, due times, shapes of projects.
mod structure;
/// Processes that are suspended.
mod suspended;
/// Comments, watchers, notifications.
mod talk;
/// Teams and the roles they have in projects.
mod teams;
/// PostgreSQL in trouble.
mod trouble;
/// Planted faults are found.
mod verify;
/// Boards in windows, lists, what one is to do.
mod views;
/// Tables that the append keeps beside the log.
mod write_side;
