//! Reading the log: its rows, its pages and its wake-ups. Beneath the services, which all read it.

/// The one place that may ask for the time and new ids.
pub mod clock;
/// Deadlines of database calls.
pub mod deadline;
/// One row of the log, and the Change made from it.
mod event;
/// Which log it is.
mod identity;
/// Registry of all metrics.
pub mod metrics;
/// Reading by position.
mod read;
/// A connection that one task keeps between its calls.
mod sticky_connection;
/// Columns of the log as they are read.
mod stored;
/// Trace contexts that begin in the program.
mod traceparent;
/// Errors that pass.
mod trouble;
/// Being told of new positions.
mod wake;
/// People's words, stored apart from an event's structure.
mod words;
/// Workers, and when each last came through.
mod worker;
/// Outcome of recent writes, for readiness.
mod writes;

pub use event::{LogError, LoggedEvent, RawChange};
pub use identity::{ASK_EVERY, LOG_HEADER, LogIdentity, identity, suspended, watch_identity};
pub use read::{
    aggregate_after, aggregate_event, head, page_after, page_between, project_page_after, projected_position,
};
pub use sticky_connection::StickyConnection;
pub use stored::StoredTime;
pub use traceparent::new_traceparent;
pub use trouble::{FORKED, INCOMPLETE, OTHER_LOG, SUSPENDED, is_of_the_whole, is_unavailable};
pub use wake::{APPENDED_CHANNEL, PROJECTED_CHANNEL, watch_positions};
pub use words::with_words;
pub use worker::Worker;
pub use writes::{Aggregate, Writes};
