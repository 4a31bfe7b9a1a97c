//! Watching: being notified of what happens to a task, or in a project.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::delta::{Added, Removed};
use crate::ids::UserId;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Watcher {
    pub user_id: UserId,
}

/// Start of watching at the person's own request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Watched {
    pub watcher: Added<Watcher>,
}

/// End of watching at the person's own request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Unwatched {
    pub watcher: Removed<Watcher>,
}

/// Change of who watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatcherChange {
    Added(UserId),
    Removed(UserId),
}
