//! Members of teams, present and past.

mod fold;
mod row;
#[cfg(test)]
mod tests;

pub use fold::{apply, keys};
pub use row::{PastTeamMemberRow, TeamMemberRow};
