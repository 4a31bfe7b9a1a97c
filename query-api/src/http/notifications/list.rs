use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::Query;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{Kind, unread};
use crate::http::answer::Answer;
use crate::http::app::App;
use crate::http::error::{ReadError, bad_cursor_or};
use crate::http::page::{ListName, Page, limit};
use crate::http::reading::{ReadHeaders, Reading};
use crate::http::stored::Stored;
use crate::http::values::Position;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// Only those that are not read, or only those that are; without it, all.
    unread: Option<bool>,
    /// From 1 to 200, 50 by default.
    limit: Option<i64>,
    cursor: Option<String>,
    /// Answer only with what reflects this position.
    #[param(value_type = Option<u64>)]
    min_position: Option<Position>,
}

/// What one should hear of.
#[derive(Debug, Serialize, ToSchema, sqlx::FromRow)]
pub struct Notification {
    #[sqlx(rename = "notification_id")]
    id: Uuid,
    #[schema(value_type = Kind)]
    kind: Stored<Kind>,
    /// Of the event.
    position: i64,
    project_id: Uuid,
    task_id: Uuid,
    /// As it is called now.
    task_title: Option<String>,
    comment_id: Option<Uuid>,
    /// Who did it; the id of zeros where the clock did.
    actor_id: Uuid,
    occurred_at: DateTime<Utc>,
    read: bool,
}

/// A page of what one should hear of.
#[derive(Serialize, ToSchema)]
pub struct Notifications {
    #[serde(flatten)]
    page: Page<Notification>,
    /// Of all; 1000 stands for that many or more.
    #[schema(example = 3)]
    unread_count: i64,
}

/// What the caller should hear of, newest first: of what they want to hear of, in projects that they may see.
#[utoipa::path(
    get, path = "/v1/me/notifications", operation_id = "listNotifications", tag = "me",
    params(Params, ReadHeaders),
    responses(
        (status = 200, description = "A page of notifications", body = Notifications),
        (status = 304, description = "As before"),
        ReadProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    reading: Reading,
    Query(query): Query<Params>,
) -> Result<Answer, ReadError> {
    let limit = limit(query.limit)?;
    let list = ListName::new("notifications", reading.caller.user_id.0, &query.unread);
    let before = list.read(query.cursor.as_deref())?;
    let mut snapshot = reading.snapshot(&app, query.min_position).await?;
    let rows: Vec<Notification> = sqlx::query_as(
        "SELECT n.notification_id, n.kind, n.position, n.project_id, n.task_id, t.title AS task_title, n.comment_id, \
                n.actor_id, n.occurred_at, \
                n.position <= coalesce(s.read_up_to, 0) OR r.notification_id IS NOT NULL AS read \
         FROM notifications n \
         LEFT JOIN notification_settings s ON s.user_id = n.user_id \
         LEFT JOIN notification_reads r ON r.user_id = n.user_id AND r.notification_id = n.notification_id \
         LEFT JOIN tasks t ON t.task_id = n.task_id \
         WHERE n.user_id = (SELECT taskfold_user()) AND n.kind <> ALL (coalesce(s.muted, '{}')) \
           AND ($1::boolean IS NULL \
                OR $1 <> (n.position <= coalesce(s.read_up_to, 0) OR r.notification_id IS NOT NULL)) \
           AND n.position < $2::text::bigint \
         ORDER BY n.position DESC LIMIT $3",
    )
    .bind(query.unread)
    .bind(before.map_or_else(|| i64::MAX.to_string(), |c| c.key))
    .bind(limit + 1)
    .fetch_all(&mut *snapshot.db)
    .await
    .map_err(bad_cursor_or)?;
    let page = list.page(rows, limit, |n| (n.position.to_string(), n.id), |n| n);
    let unread_count = unread::count(&mut snapshot.db).await?;
    let next = page.next_cursor.clone();
    Answer::list(&reading, snapshot, &Notifications { page, unread_count }, next.as_deref()).await
}
