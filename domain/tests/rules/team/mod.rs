//! Rules of teams.

/// Rules that hold for every command on a team.
mod every;
/// Creating, renaming and deleting a team.
mod lifecycle;
/// Members of a team and their roles in it.
mod members;
