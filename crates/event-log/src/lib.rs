//! The event log as all services read it: its events, its identity, and the notifications of new positions; with the
//! clock, the deadlines and the metrics that all of them share.

/// Time and ids of this machine, for code that no clock reaches.
pub mod ambient;
/// Authority with which credentials are made.
mod authority;
/// Current time and new ids.
mod clock;
/// Deadlines of database calls.
pub mod deadline;
/// Classification of database errors.
mod error_codes;
/// Events as the log stores them.
mod event;
/// Identity of the log.
mod identity;
/// Registry of all metrics.
pub mod metrics;
/// Signatures of published messages.
mod publication_key;
/// Reads by position, project and aggregate.
mod read;
/// A connection that one task keeps between its calls.
mod sticky_connection;
/// Times of the log.
mod stored_time;
/// Trace contexts of work that the program starts.
mod traceparent;
/// Notifications of new positions.
mod wake;
/// Words of an event, stored apart from its structure.
mod words;
/// Workers, and the time of their last success.
mod worker;
/// Outcome of recent writes, for readiness.
mod writes;

pub use authority::{AuthorityOf, HeldAuthority, LapsedAuthority, hold_authority};
pub use clock::{Clock, FixedClock};
pub use error_codes::{FORKED, INCOMPLETE, OTHER_LOG, SUSPENDED, is_id_taken, is_of_the_whole, is_unavailable};
pub use event::{EventRow, LogError, LoggedEvent, RawChange};
pub use identity::{ASK_EVERY, LOG_HEADER, LogIdentity, identity, suspended, watch_identity};
pub use publication_key::{PublicationKey, SIGNATURE_HEADER, publication_key};
pub use read::{
    aggregate_after, aggregate_event, head, page_after, page_between, project_page_after, projected_position,
};
pub use sticky_connection::StickyConnection;
pub use stored_time::StoredTime;
pub use wake::{WatchedPosition, watch_positions};
pub use words::with_words;
pub use worker::Worker;
pub use writes::{Aggregate, Writes};
