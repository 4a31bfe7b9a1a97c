use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};

/// A connection that one task keeps from call to call. A pool looks after each connection that it gets back, which is a round
/// trip more for every call.
pub struct Kept {
    pool: PgPool,
    connection: Option<PoolConnection<Postgres>>,
}

impl Kept {
    pub fn new(pool: PgPool) -> Self {
        Self { pool, connection: None }
    }

    pub async fn connection(&mut self) -> sqlx::Result<&mut PgConnection> {
        let connection = match self.connection.take() {
            Some(kept) => kept,
            None => self.pool.acquire().await?,
        };
        Ok(self.connection.insert(connection))
    }

    /// Closes it, with all that its session holds.
    pub fn close(&mut self) {
        drop(self.connection.take().map(PoolConnection::detach));
    }

    /// After an error: the pool finds out what the connection is still good for.
    pub fn give_back(&mut self) {
        self.connection = None;
    }
}
