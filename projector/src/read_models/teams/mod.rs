//! Teams.

mod fold;
mod row;
#[cfg(test)]
mod tests;

pub use fold::{apply, check, keys};
pub use row::TeamRow;
