//! A connection that one task keeps between its calls.

use sqlx::{PgConnection, PgPool};

/// A connection outside the pool. A pool pings each connection that is returned to it, one more round trip per call;
/// and this one is closed by dropping it, without waiting for a server that may not answer.
pub struct StickyConnection {
    pool: PgPool,
    connection: Option<PgConnection>,
}

impl StickyConnection {
    pub fn new(pool: PgPool) -> Self {
        Self { pool, connection: None }
    }

    /// The open connection, or a new one.
    pub async fn connection(&mut self) -> sqlx::Result<&mut PgConnection> {
        let connection = match self.connection.take() {
            Some(open) => open,
            None => self.pool.acquire().await?.detach(),
        };
        Ok(self.connection.insert(connection))
    }

    /// Closes the connection with everything its session holds: its state is unknown after an error or a missed
    /// deadline.
    pub fn close(&mut self) {
        self.connection = None;
    }
}
