//! Foundations of the services that answer HTTP: errors, extractors, tokens, limits.

/// Audit lines of sign-ins, tokens and links.
pub mod audit;
/// Access tokens and stream tickets, and the caller that they identify.
pub mod auth;
/// The client of a request.
pub mod client;
/// Compression of response bodies.
mod compression;
/// The deadline of a request.
pub mod deadline;
/// Reading of the rest of a request body after an early response.
pub mod drain;
/// Request headers.
pub mod headers;
/// Layers around every router: fallbacks, panics, cross-origin access, limits, and tracing.
pub mod layers;
/// The log that a request and its response belong to.
pub mod log;
/// Lists in pages.
pub mod page;
/// Errors of parsers, in plain language.
mod parse_errors;
/// Errors as callers see them (RFC 9457).
pub mod problem;
/// Rates of requests of each person, and of each API token.
pub mod rate_limit;
/// Extractors of bodies, paths and queries, with a clear problem for each mistake.
pub mod read;
/// Permissions of tokens.
pub mod scope;
/// Headers of every response that restrict what a browser does with it.
pub mod security_headers;
/// The parts of a service that the program runs.
pub mod service;
/// State that the handlers of a service share.
pub mod shared;
/// Entity tags that name their log.
pub mod tags;
/// A span and an access line for each request.
pub mod trace;

pub use auth::Caller;
pub use problem::{Code, Problem};
pub use scope::{Access, Scope};
