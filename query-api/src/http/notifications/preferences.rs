use axum::extract::State;
use serde::{Deserialize, Serialize};
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::Query;
use utoipa::ToSchema;

use super::Kind;
use crate::http::answer::Answer;
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::me::AtLeast;
use crate::http::reading::{ReadHeaders, Reading};
use crate::http::stored::Stored;

/// Which kinds of notifications are not wanted; all others are.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Preferences {
    pub muted: Vec<Kind>,
}

/// Which kinds of notifications the caller wants to hear of.
#[utoipa::path(
    get, path = "/v1/me/notification-preferences", operation_id = "getNotificationPreferences", tag = "me",
    params(AtLeast, ReadHeaders),
    responses((status = 200, description = "The preferences", body = Preferences), (status = 304, description = "As before"), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    reading: Reading,
    Query(query): Query<AtLeast>,
) -> Result<Answer, ReadError> {
    let mut snapshot = reading.snapshot(&app, query.min_position).await?;
    let muted: Vec<Stored<Kind>> =
        sqlx::query_scalar("SELECT unnest(muted) FROM notification_settings WHERE user_id = taskfold_user()")
            .fetch_all(&mut *snapshot.db)
            .await?;
    let preferences = Preferences { muted: muted.into_iter().map(|kind| kind.0).collect() };
    Answer::new(&reading, snapshot, &preferences).await
}
