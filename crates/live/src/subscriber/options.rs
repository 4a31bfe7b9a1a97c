//! Options with which a stream is opened.

use futures::future::BoxFuture;
use taskfold_domain::ids::UserId;
use uuid::Uuid;

use crate::cursor::Cursor;
use crate::permission::ProjectPermission;
use crate::stream_quota::StreamSlot;

pub struct SubscriberOptions {
    pub user: UserId,
    /// Expiry of the stream's token, in seconds since 1970.
    pub expires_at: i64,
    /// Completes when the authority behind that token ends.
    pub revoked_token: BoxFuture<'static, ()>,
    /// The API token with which the stream is opened.
    pub api_token: Option<Uuid>,
    pub projects: Vec<ProjectPermission>,
    /// Requested projects of which the user is not a member any more.
    pub revoked: Vec<Uuid>,
    /// Cursor to start at; `None` starts at the head.
    pub from: Option<Cursor>,
    /// Carries the channel `me`. Such a stream stays open without any project.
    pub me: bool,
    pub slot: StreamSlot,
    /// Carries the presence in the projects.
    pub presence: bool,
}
