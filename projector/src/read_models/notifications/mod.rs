//! Notifications: one person, notified of one event.

mod fold;
mod row;
#[cfg(test)]
mod tests;
/// Watchers of projects over time.
mod watcher_history;

pub use fold::{apply, keys};
pub use row::NotificationRow;
pub use watcher_history::WatcherHistory;
