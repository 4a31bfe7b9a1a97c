//! Members of projects, present and past.

/// Fold of events into the rows.
mod fold;
/// Rows.
mod row;
/// Given events, then rows.
#[cfg(test)]
mod tests;

pub use fold::{apply, keys};
pub use row::{MemberRow, PastMemberRow};
