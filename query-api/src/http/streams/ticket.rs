//! Stream tickets, each of which opens one stream.

use sqlx::PgPool;
use taskfold_web::auth::Ticket;

/// Redeems a ticket. Returns `false` if it was used before. Also deletes a few expired ones.
pub(super) async fn redeem(pool: &PgPool, ticket: Ticket) -> sqlx::Result<bool> {
    let inserted = sqlx::query!(
        r#"
        WITH ended AS (DELETE FROM used_tickets WHERE ticket_id IN (
            SELECT ticket_id FROM used_tickets WHERE expires_at < now() LIMIT 10 FOR UPDATE SKIP LOCKED))
        INSERT INTO used_tickets (ticket_id, expires_at) VALUES ($1, to_timestamp($2)) ON CONFLICT DO NOTHING
        "#,
        ticket.id,
        ticket.expires_at as f64,
    )
    .execute(pool)
    .await?;
    Ok(inserted.rows_affected() == 1)
}
