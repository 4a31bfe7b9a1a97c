//! The version a command is based on, and how edits made since then are treated.

/// Condition under which a command may be applied to an aggregate that was edited since the caller read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Any version will do.
    #[default]
    None,
    /// No edit since this version.
    Strict(u64),
    /// No edit since this version of what the command touches.
    Lenient(u64),
}
