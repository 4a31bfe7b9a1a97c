use sqlx::PgConnection;

/// Beyond it, they are not counted.
const MOST: i64 = 1_000;

/// How many the caller has not read, of what they want to hear of; [`MOST`] stands for that many or more.
pub async fn count(db: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT FROM notifications n LEFT JOIN notification_settings s ON s.user_id = n.user_id \
         WHERE n.user_id = (SELECT taskfold_user()) AND n.position > coalesce(s.read_up_to, 0) \
           AND n.kind <> ALL (coalesce(s.muted, '{}')) \
           AND NOT EXISTS (SELECT FROM notification_reads r \
                           WHERE r.user_id = n.user_id AND r.notification_id = n.notification_id) \
         LIMIT $1) AS unread",
    )
    .bind(MOST)
    .fetch_one(db)
    .await
}
