//! `PUT /v1/me/notification-preferences`: changes the muted kinds of notifications.

use axum::Json;
use axum::extract::State;
use taskfold_web::Caller;
use taskfold_web::problem::OwnProblems;
use taskfold_web::read::Body;

use super::preferences::Preferences;
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::snapshot::begin_write;

/// Set which kinds of notifications are muted. Existing notifications of these kinds are hidden too, and are shown
/// again when the kind is no longer muted.
#[utoipa::path(
    put, path = "/v1/me/notification-preferences", operation_id = "setNotificationPreferences", tag = "me",
    request_body = Preferences,
    responses((status = 200, description = "The preferences", body = Preferences), OwnProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    Body(mut body): Body<Preferences>,
) -> Result<Json<Preferences>, ReadError> {
    caller.must_reach_everything()?;
    body.muted.sort_by_key(|kind| kind.as_str());
    body.muted.dedup();
    let mut db = begin_write(&app, &caller).await?;
    sqlx::query!(
        r#"
        INSERT INTO notification_settings (user_id, muted) VALUES (taskfold_user(), $1)
        ON CONFLICT (user_id) DO UPDATE SET muted = excluded.muted
        "#,
        &body.muted.iter().map(|kind| kind.as_str()).collect::<Vec<_>>() as _,
    )
    .execute(&mut *db)
    .await?;
    db.commit().await?;
    Ok(Json(body))
}
