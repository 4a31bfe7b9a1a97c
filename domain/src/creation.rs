//! Things that an event creates.

use uuid::Uuid;

/// Effect of an event on existence: it creates its aggregate, something inside it, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    Nothing,
    Aggregate,
    /// Id of a new comment, column, member, ... inside the aggregate.
    Inside(Uuid),
}
