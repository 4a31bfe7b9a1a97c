//! `GET /v1/me/notifications`: the caller's notifications.

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::Query;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{Kind, unread};
use crate::http::app::App;
use crate::http::error::{ReadError, bad_cursor_or};
use crate::http::page::{ListName, Page, limit};
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;
use crate::http::text_enum::TextEnum;
use crate::http::values::Position;

/// Sort key before all others, in descending order: `i64::MAX`.
const FIRST_KEY: &str = "9223372036854775807";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// True for unread notifications only, false for read ones only; all by default.
    unread: Option<bool>,
    /// Number of items, from 1 to 200; 50 by default.
    limit: Option<i64>,
    cursor: Option<String>,
    /// Minimum position that the response must reflect.
    #[param(value_type = Option<u64>)]
    min_position: Option<Position>,
}

/// A notification of the caller.
#[derive(Debug, Serialize, ToSchema)]
pub struct Notification {
    id: Uuid,
    #[schema(value_type = Kind)]
    kind: TextEnum<Kind>,
    /// Position of the event.
    position: i64,
    project_id: Uuid,
    task_id: Uuid,
    /// The current title.
    task_title: Option<String>,
    comment_id: Option<Uuid>,
    /// The user who caused the event; the nil UUID for events caused by time.
    actor_id: Uuid,
    occurred_at: DateTime<Utc>,
    read: bool,
}

/// A page of notifications.
#[derive(Serialize, ToSchema)]
pub struct Notifications {
    #[serde(flatten)]
    page: Page<Notification>,
    /// Number of all unread notifications; 1000 means that many or more.
    #[schema(example = 3)]
    unread_count: i64,
}

/// The caller's notifications, newest first, without muted kinds and without projects that they may not see any more.
#[utoipa::path(
    get, path = "/v1/me/notifications", operation_id = "listNotifications", tag = "me",
    params(Params, ReadHeaders),
    responses(
        (status = 200, description = "A page of notifications", body = Notifications),
        (status = 304, description = "Not modified"),
        ReadProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Query(query): Query<Params>,
) -> Result<ReadResponse, ReadError> {
    let list = ListName::new("notifications", request.caller.user_id.0, &query.unread)
        .keyset(limit(query.limit)?, query.cursor.as_deref())?;
    let mut snapshot = request.snapshot(&app, query.min_position).await?;
    let rows = sqlx::query_as!(
        Notification,
        r#"
        SELECT n.notification_id AS id, n.kind AS "kind: _", n.position, n.project_id, n.task_id,
               t.title AS "task_title?", n.comment_id, n.actor_id, n.occurred_at,
               n.position <= coalesce(s.read_up_to, 0) OR r.notification_id IS NOT NULL AS "read!"
        FROM notifications n
        LEFT JOIN notification_settings s ON s.user_id = n.user_id
        LEFT JOIN notification_reads r ON r.user_id = n.user_id AND r.notification_id = n.notification_id
        LEFT JOIN tasks t ON t.task_id = n.task_id
        WHERE n.user_id = (SELECT taskfold_user()) AND n.kind <> ALL (coalesce(s.muted, '{}'))
          AND ($1::boolean IS NULL
               OR $1 <> (n.position <= coalesce(s.read_up_to, 0) OR r.notification_id IS NOT NULL))
          AND n.position < $2::text::bigint
        ORDER BY n.position DESC LIMIT $3
        "#,
        query.unread,
        list.key(FIRST_KEY),
        list.row_limit(),
    )
    .fetch_all(&mut *snapshot.db)
    .await
    .map_err(bad_cursor_or)?;
    let page = list.page(rows, |n| (n.position.to_string(), n.id), |n| n);
    let unread_count = unread::count(&mut snapshot.db).await?;
    let next = page.next_cursor.clone();
    ReadResponse::list(&request, snapshot, &Notifications { page, unread_count }, next.as_deref()).await
}
