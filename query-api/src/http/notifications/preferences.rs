//! `GET /v1/me/notification-preferences`: the muted kinds of notifications.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::Query;
use utoipa::ToSchema;

use super::Kind;
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::read_request::MinPosition;
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;
use crate::http::text_enum::TextEnum;

/// The kinds of notifications that are muted.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Preferences {
    pub muted: Vec<Kind>,
}

/// The caller's notification preferences.
#[utoipa::path(
    get, path = "/v1/me/notification-preferences", operation_id = "getNotificationPreferences", tag = "me",
    params(MinPosition, ReadHeaders),
    responses((status = 200, description = "The preferences", body = Preferences), (status = 304, description = "Not modified"), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Query(query): Query<MinPosition>,
) -> Result<ReadResponse, ReadError> {
    request.caller.must_reach_everything()?;
    let mut snapshot = request.snapshot(&app, query.min_position).await?;
    let muted = sqlx::query_scalar!(
        r#"
        SELECT unnest(muted) AS "muted!: TextEnum<Kind>" FROM notification_settings WHERE user_id = taskfold_user()
        "#,
    )
    .fetch_all(&mut *snapshot.db)
    .await?;
    let preferences = Preferences { muted: muted.into_iter().map(|kind| kind.0).collect() };
    ReadResponse::new(&request, snapshot, &preferences).await
}
