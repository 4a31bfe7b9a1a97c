//! Permission to follow a project, as of a position of the log.

use uuid::Uuid;

/// Permission of a stream's user to follow a project.
#[derive(Clone, Copy, Debug)]
pub struct ProjectPermission {
    pub project: Uuid,
    /// Position as of which the user is known to be a member. A revocation at or before it is history (the user was
    /// added again); a later one ends the subscription.
    pub member_at: i64,
}
