//! What callers may rely on, shared by the services that answer HTTP: errors, extractors, tokens, limits.

/// Access tokens and stream tickets: made, checked, and the caller they name.
pub mod auth;
/// When a request is answered at the latest.
pub mod deadline;
/// What a refused request still sends.
mod drain;
/// Request headers with a meaning of ours.
pub mod headers;
/// What every router has around it: fallbacks, panics, cross-origin, limits, metrics.
pub mod layers;
/// Of which log a request and its answer are.
pub mod log;
/// Errors as callers see them (RFC 9457).
pub mod problem;
/// Reading bodies, paths and queries into types, with a clear problem for each mistake.
pub mod read;
/// What a token is good for.
pub mod scope;
/// What a service hands to the program.
pub mod service;
/// What the handlers of a service share.
pub mod shared;
pub mod tags;
/// Parsers' errors in our words.
mod words;

pub use auth::Caller;
pub use problem::{Code, Problem};
pub use scope::{Access, Scope};
