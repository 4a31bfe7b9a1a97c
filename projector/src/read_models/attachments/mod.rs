//! Files on tasks.

/// Fold of events into the rows.
mod fold;
/// Rows.
mod row;
/// Given events, then rows.
#[cfg(test)]
mod tests;

pub use fold::apply;
pub use row::AttachmentRow;
