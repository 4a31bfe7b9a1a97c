//! Events that are delivered on the channels of people and teams.

/// Fold of events into the rows.
mod fold;
/// Rows.
mod row;
/// Given events, then rows.
#[cfg(test)]
mod tests;

pub use fold::{apply_project, apply_team};
pub use row::ChannelEventRow;
