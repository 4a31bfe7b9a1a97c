use sqlx::{PgConnection, PgPool};

/// A connection that one task keeps from call to call. A pool tests each connection that it gets back, which is a round trip more for
/// every call; and a connection outside of the pool is closed by dropping it, without waiting for a server that may not answer.
pub struct Kept {
    pool: PgPool,
    connection: Option<PgConnection>,
}

impl Kept {
    pub fn new(pool: PgPool) -> Self {
        Self { pool, connection: None }
    }

    pub async fn connection(&mut self) -> sqlx::Result<&mut PgConnection> {
        let connection = match self.connection.take() {
            Some(kept) => kept,
            None => self.pool.acquire().await?.detach(),
        };
        Ok(self.connection.insert(connection))
    }

    /// Closes it, with all that its session holds: after an error or a missed deadline, what it is still good for is not known.
    pub fn close(&mut self) {
        self.connection = None;
    }
}
