//! Permission to follow a project, as of a position of the log.

use uuid::Uuid;

use super::cursor::Cursor;

/// Permission of a stream's user to follow a project.
#[derive(Clone, Copy, Debug)]
pub struct ProjectPermission {
    pub project: Uuid,
    /// Position as of which the user is known to be a member. A revocation at or before it is history (the user was
    /// added again); a later one ends the subscription.
    pub member_at: i64,
    /// Cursor up to which nothing of the project is delivered, wherever the stream begins.
    delivers_after: Cursor,
}

impl ProjectPermission {
    /// Permission of a member, who may see the whole history.
    pub fn of_member(project: Uuid, member_at: i64) -> Self {
        Self { project, member_at, delivers_after: Cursor::after(0) }
    }

    /// Permission of a former member, who is sent the event at `removal`, which ended their access, and nothing else.
    pub fn of_removal(project: Uuid, removal: i64) -> Self {
        Self { project, member_at: removal - 1, delivers_after: Cursor::after(removal - 1) }
    }

    /// Cursor after which a stream that begins at `start` delivers the project's events.
    pub fn start(&self, start: Cursor) -> Cursor {
        start.max(self.delivers_after)
    }
}
