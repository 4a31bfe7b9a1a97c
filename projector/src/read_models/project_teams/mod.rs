//! Teams with a role in a project, present and past.

mod fold;
mod row;
#[cfg(test)]
mod tests;

pub use fold::{apply, keys};
pub use row::{PastProjectTeamRow, ProjectTeamRow};
