//! `POST /v1/me/notifications/read`: marks notifications as read.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use taskfold_domain::limits::NOTIFICATIONS_PER_REQUEST;
use taskfold_web::problem::OwnProblems;
use taskfold_web::read::Body;
use taskfold_web::{Caller, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::unread;
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::snapshot::begin_write;

/// Notifications to mark as read. At least one field is required.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadNotifications {
    /// Ids of notifications; at most 500.
    #[serde(default)]
    ids: Vec<Uuid>,
    /// All notifications of events up to this position, such as the position of the list that the user has seen.
    #[serde(default)]
    #[schema(example = 1042)]
    up_to: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub struct Unread {
    /// 1000 means that many or more.
    #[schema(example = 0)]
    unread_count: i64,
}

/// Mark notifications as read: by id, or all up to a position. Later ones stay unread.
#[utoipa::path(
    post, path = "/v1/me/notifications/read", operation_id = "readNotifications", tag = "me",
    request_body = ReadNotifications,
    responses((status = 200, description = "The number of unread notifications", body = Unread), OwnProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<ReadNotifications>,
) -> Result<Json<Unread>, ReadError> {
    caller.must_reach_everything()?;
    if body.ids.len() > NOTIFICATIONS_PER_REQUEST {
        return Err(Problem::invalid_field("/ids", format!("must have at most {NOTIFICATIONS_PER_REQUEST} ids")).into());
    }
    if body.ids.is_empty() && body.up_to.is_none() {
        return Err(Problem::invalid_field("", "must have `ids` or `up_to`").into());
    }
    let mut db = begin_write(&app, &caller).await?;
    // Row-level security excludes notifications of other users.
    sqlx::query!(
        r#"
        INSERT INTO notification_reads (user_id, notification_id)
        SELECT user_id, notification_id FROM notifications WHERE notification_id = ANY ($1) ON CONFLICT DO NOTHING
        "#,
        &body.ids,
    )
    .execute(&mut *db)
    .await?;
    if let Some(up_to) = body.up_to {
        // At most the current position: later notifications have not been seen.
        sqlx::query!(
            r#"
            INSERT INTO notification_settings (user_id, read_up_to)
            SELECT taskfold_user(), least($1, position) FROM projection_checkpoint
            ON CONFLICT (user_id) DO UPDATE
            SET read_up_to = greatest(notification_settings.read_up_to, excluded.read_up_to)
            "#,
            i64::try_from(up_to).unwrap_or(i64::MAX),
        )
        .execute(&mut *db)
        .await?;
        // Removes the marks that `read_up_to` covers.
        sqlx::query!(
            r#"
            DELETE FROM notification_reads r USING notifications n, notification_settings s
            WHERE r.user_id = taskfold_user() AND n.notification_id = r.notification_id
              AND s.user_id = r.user_id AND n.position <= s.read_up_to
            "#,
        )
        .execute(&mut *db)
        .await?;
    }
    let unread_count = unread::count(&mut db).await?;
    db.commit().await?;
    Ok(Json(Unread { unread_count }))
}
