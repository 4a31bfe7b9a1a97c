//! Number of the caller's unread notifications.

use sqlx::PgConnection;
use taskfold_domain::limits::UNREAD_COUNTED;

/// Counts the caller's unread notifications, without muted kinds, up to [`UNREAD_COUNTED`].
pub async fn count(db: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
        SELECT count(*) AS "count!" FROM (
            SELECT FROM notifications n LEFT JOIN notification_settings s ON s.user_id = n.user_id
            WHERE n.user_id = (SELECT taskfold_user()) AND n.position > coalesce(s.read_up_to, 0)
              AND n.kind <> ALL (coalesce(s.muted, '{}'))
              AND NOT EXISTS (SELECT FROM notification_reads r
                              WHERE r.user_id = n.user_id AND r.notification_id = n.notification_id)
            LIMIT $1) AS unread
        "#,
        UNREAD_COUNTED,
    )
    .fetch_one(db)
    .await
}
