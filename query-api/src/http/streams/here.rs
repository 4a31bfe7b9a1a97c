use std::time::Duration;

use serde::{Deserialize, Serialize};
use taskfold_live::{Ask, Channels, Door, Unchanged, Wish};
use taskfold_web::Code;
use taskfold_web::auth::Means;
use taskfold_web::deadline;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::door::revoked_token;
use crate::http::app::App;
use crate::http::pending;

/// For a stream to take notice. One whose client reads nothing does not.
const LIMIT: Duration = Duration::from_secs(3);

/// What somebody wants of a stream of theirs, checked as far as it can be without the stream.
#[derive(Debug, Serialize, Deserialize)]
pub struct Wanted {
    pub stream_id: Uuid,
    pub user_id: Uuid,
    pub add: Vec<Uuid>,
    pub only_these: bool,
    pub remove: Vec<Uuid>,
    pub me: Option<bool>,
    pub means: Means,
    pub expires_at: i64,
}

/// Why it stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refused {
    /// The stream, or a project that is asked for.
    NotFound,
    TooMany,
    NothingLeft,
    /// A project that is asked for is in the log and not projected yet.
    Behind,
    Unavailable,
}

/// Changes a stream of this instance. What its person may see is looked at here, whoever asks.
pub async fn change(app: &App, wanted: Wanted) -> Result<Channels, Refused> {
    let line = app.hub.streams().line(wanted.stream_id, wanted.user_id).ok_or(Refused::NotFound)?;
    let mut doors = Vec::new();
    if !wanted.add.is_empty() {
        let known =
            pending::memberships(app, wanted.user_id, &wanted.add).await.map_err(|error| match error.code() {
                Code::ReadModelBehind => Refused::Behind,
                code => {
                    tracing::warn!(code = code.as_str(), "a stream could not be changed");
                    Refused::Unavailable
                }
            })?;
        doors.extend(known.visible.iter().map(|&project| Door { project, member_at: known.checkpoint }));
        if !wanted.add.iter().all(|project| doors.iter().any(|door| door.project == *project)) {
            return Err(Refused::NotFound);
        }
    }
    let Wanted { only_these, remove, me, means, expires_at, .. } = wanted;
    let revoked_token = revoked_token(app, means);
    deadline::allow(LIMIT);
    let (answer, changed) = oneshot::channel();
    line.ask(Ask { wish: Wish { doors, only_these, remove, me, expires_at, revoked_token }, answer });
    // Or what is asked would outlive the stream that it is asked of.
    drop(line);
    match tokio::time::timeout(LIMIT, changed).await {
        Ok(Ok(changed)) => changed.map_err(|unchanged| match unchanged {
            Unchanged::TooMany => Refused::TooMany,
            Unchanged::NothingLeft => Refused::NothingLeft,
        }),
        // It has ended meanwhile.
        Ok(Err(_)) => Err(Refused::NotFound),
        Err(_) => Err(Refused::Unavailable),
    }
}
