use sqlx::PgPool;
use taskfold_web::auth::Ticket;

/// Whether the ticket was not used before. It is now. Those that have ended are forgotten meanwhile, a few at a time.
pub async fn use_up(pool: &PgPool, ticket: Ticket) -> sqlx::Result<bool> {
    let used = sqlx::query(
        "WITH ended AS (DELETE FROM used_tickets WHERE ticket_id IN ( \
             SELECT ticket_id FROM used_tickets WHERE expires_at < now() LIMIT 10 FOR UPDATE SKIP LOCKED)) \
         INSERT INTO used_tickets (ticket_id, expires_at) VALUES ($1, to_timestamp($2)) ON CONFLICT DO NOTHING",
    )
    .bind(ticket.id)
    .bind(ticket.expires_at as f64)
    .execute(pool)
    .await?;
    Ok(used.rows_affected() == 1)
}
