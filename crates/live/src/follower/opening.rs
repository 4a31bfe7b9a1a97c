use futures::future::BoxFuture;
use taskfold_domain::ids::UserId;
use uuid::Uuid;

use crate::cursor::Cursor;
use crate::places::Place;

/// What a stream starts with.
pub struct Opening {
    pub user: UserId,
    /// When the stream's token ends, in seconds since 1970.
    pub expires_at: i64,
    /// Ends when that token is worth nothing before its time, if that can happen.
    pub revoked_token: Option<BoxFuture<'static, ()>>,
    pub projects: Vec<Door>,
    /// Projects asked for of which the caller is no member any more.
    pub revoked: Vec<Uuid>,
    /// `None`: from now.
    pub from: Option<Cursor>,
    /// Also what the caller is told; the stream then stays without any project.
    pub me: bool,
    pub place: Place,
    /// Also who is there in the projects.
    pub presence: bool,
}

/// A project that the caller may follow.
#[derive(Clone, Copy, Debug)]
pub struct Door {
    pub project: Uuid,
    /// The position as of which the caller is known to be a member: an earlier removal is history, a later one ends it.
    pub member_at: i64,
}
