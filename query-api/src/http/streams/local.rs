//! Changes of a stream of this instance.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use taskfold_domain::ids::UserId;
use taskfold_live::{CarriedChannels, ChangeRequest, ProjectPermission, StreamChange};
use taskfold_web::Code;
use taskfold_web::auth::Means;
use taskfold_web::deadline;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::revocation::token_revocation;
use crate::http::app::App;
use crate::http::pending;

/// Limit for the stream to reply. A stream whose client reads nothing does not.
const REPLY_LIMIT: Duration = Duration::from_secs(3);

/// Change of a stream of the user, validated as far as possible without the stream. Instances of other versions read
/// and write it too.
#[derive(Debug, Serialize, Deserialize)]
pub struct StreamChangeMessage {
    pub stream_id: Uuid,
    pub user_id: Uuid,
    pub add: Vec<Uuid>,
    pub only_these: bool,
    pub remove: Vec<Uuid>,
    pub me: Option<bool>,
    pub means: Means,
    pub expires_at: i64,
}

/// Reasons why a stream is left as it is. Instances of other versions read and write the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChangeRefusal {
    /// The stream, or an added project, does not exist for this user.
    NotFound,
    #[serde(rename = "TooMany")]
    TooManyProjects,
    NothingLeft,
    /// An added project is in the log and not projected yet.
    Behind,
    Unavailable,
}

/// Changes a stream of this instance. The user's memberships are read here, whoever sent the request.
pub async fn change(app: &App, message: StreamChangeMessage) -> Result<CarriedChannels, ChangeRefusal> {
    let StreamChangeMessage { stream_id, user_id, add, only_these, remove, me, means, expires_at } = message;
    let api_token = match means {
        Means::ApiToken(token) => Some(token),
        Means::Session(_) | Means::Outside => None,
    };
    let stream = app.hub.streams().find(stream_id, user_id, api_token).ok_or(ChangeRefusal::NotFound)?;
    let add = permissions(app, user_id, &add).await?;
    let revoked_token = token_revocation(app, UserId(user_id), means);
    deadline::allow(REPLY_LIMIT);
    let (reply, replied) = oneshot::channel();
    let change = StreamChange { add, only_these, remove, me, expires_at, revoked_token };
    stream.send(ChangeRequest { change, reply });
    // Otherwise the request, and with it the wait for a reply, would outlive the stream.
    drop(stream);
    match tokio::time::timeout(REPLY_LIMIT, replied).await {
        Ok(Ok(changed)) => changed.map_err(|refusal| match refusal {
            taskfold_live::ChangeRefusal::TooManyProjects => ChangeRefusal::TooManyProjects,
            taskfold_live::ChangeRefusal::NothingLeft => ChangeRefusal::NothingLeft,
        }),
        // The stream has ended meanwhile.
        Ok(Err(_)) => Err(ChangeRefusal::NotFound),
        Err(_) => Err(ChangeRefusal::Unavailable),
    }
}

async fn permissions(app: &App, user: Uuid, projects: &[Uuid]) -> Result<Vec<ProjectPermission>, ChangeRefusal> {
    if projects.is_empty() {
        return Ok(Vec::new());
    }
    let known = pending::memberships(app, user, projects).await.map_err(|error| {
        let code = error.code();
        if code == Code::ReadModelBehind {
            return ChangeRefusal::Behind;
        }
        tracing::warn!(code = code.as_str(), "the memberships for a change of a stream could not be read");
        ChangeRefusal::Unavailable
    })?;
    if !projects.iter().all(|project| known.sees(project)) {
        return Err(ChangeRefusal::NotFound);
    }
    Ok(known.visible.iter().map(|&project| ProjectPermission::of_member(project, known.checkpoint)).collect())
}
