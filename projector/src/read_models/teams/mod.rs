//! Teams.

/// Fold of events into the rows.
mod fold;
/// Rows.
mod row;
/// Given events, then rows.
#[cfg(test)]
mod tests;

pub use fold::{apply, check, keys};
pub use row::TeamRow;
