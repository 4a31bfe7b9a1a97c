//! Backup and restore of a test's database.

use sqlx::{Connection, Executor, PgConnection};

use super::eventually;

/// A database that can be restored to an earlier state, as an operator would.
pub struct Backup {
    name: String,
    /// URL of another database on the server.
    admin_url: String,
    admin: PgConnection,
}

impl Backup {
    pub async fn of(database_url: &str, admin_url: &str) -> Self {
        let name = database_url.split(['/', '?']).nth(3).unwrap().to_owned();
        let mut admin = PgConnection::connect(admin_url).await.unwrap();
        let owner: String = sqlx::query_scalar("SELECT datdba::regrole::text FROM pg_database WHERE datname = $1")
            .bind(&name)
            .fetch_one(&mut admin)
            .await
            .unwrap();
        let mut backup = Self { name, admin_url: admin_url.to_owned(), admin };
        backup
            .run_exclusively(&[&format!(
                "CREATE DATABASE {0}_backup TEMPLATE {0} OWNER {owner} STRATEGY = FILE_COPY",
                backup.name
            )])
            .await;
        backup
    }

    pub async fn restore(mut self) {
        let Self { name, .. } = &self;
        let statements = [
            format!("DROP DATABASE {name}"),
            format!("ALTER DATABASE {name}_backup RENAME TO {name}"),
            // A copy has not the privileges of its template: `taskfold migrate` revokes this one.
            format!("REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC"),
        ];
        self.run_exclusively(&statements.each_ref().map(String::as_str)).await;
    }

    /// Runs the statements while no session is connected to the database.
    async fn run_exclusively(&mut self, statements: &[&str]) {
        let allow = |allow: bool| format!("ALTER DATABASE {} ALLOW_CONNECTIONS {allow}", self.name);
        let (open, closed) = (allow(true), allow(false));
        self.admin.execute(closed.as_str()).await.unwrap();
        let others = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1";
        eventually("no client is connected", || async {
            let mut db = PgConnection::connect(&self.admin_url).await.unwrap();
            let left: i64 = sqlx::query_scalar(others).bind(&self.name).fetch_one(&mut db).await.unwrap();
            db.close().await.unwrap();
            (left == 0).then_some(())
        })
        .await;
        for statement in statements {
            self.admin.execute(*statement).await.unwrap();
        }
        self.admin.execute(open.as_str()).await.unwrap();
    }
}
