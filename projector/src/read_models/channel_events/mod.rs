//! Events that are delivered on the channels of people and teams.

mod fold;
mod row;
#[cfg(test)]
mod tests;

pub use fold::{apply_project, apply_team};
pub use row::ChannelEventRow;
