//! Members of projects, present and past.

mod fold;
mod row;
#[cfg(test)]
mod tests;

pub use fold::{apply, keys};
pub use row::{MemberRow, PastMemberRow};
