//! Comments on tasks, and the reactions to them.

mod fold;
mod row;
#[cfg(test)]
mod tests;

pub use fold::{apply, keys};
pub use row::CommentRow;
