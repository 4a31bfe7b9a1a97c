//! Notifications: one person, notified of one event.

/// Fold of events into the rows.
mod fold;
/// Rows.
mod row;
/// Given events, then rows.
#[cfg(test)]
mod tests;
/// Watchers of projects over time.
mod watcher_history;

pub use fold::{apply, keys};
pub use row::NotificationRow;
pub use watcher_history::WatcherHistory;
