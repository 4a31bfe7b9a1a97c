//! Runs a private PostgreSQL with the schema of a folder of migrations until it is stopped, and prints its URL: for
//! tools that need a database while the program itself cannot be built, such as `ops/describe-queries.sh`.

use std::path::PathBuf;

use anyhow::Context as _;
use sqlx::migrate::Migrator;
use sqlx::{Connection as _, Executor as _, PgConnection};
use taskfold_embedded::{Durability, Options, Stack};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (data_dir, migrations) =
        arguments.next().zip(arguments.next()).context("usage: private_postgres DATA_DIR MIGRATIONS")?;
    let mut stop = signal(SignalKind::terminate())?;
    let stack =
        Stack::start(Options { data_dir, postgres: true, nats: None, durability: Durability::TestsOnly }).await?;
    let url = stack.database_url().context("there is no PostgreSQL")?;
    let mut db = PgConnection::connect(&url).await?;
    Migrator::new(migrations.as_path()).await?.run_direct(&mut db).await?;
    // Files without a version are applied again and again, and so last.
    let mut repeated: Vec<PathBuf> =
        std::fs::read_dir(&migrations)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    repeated.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.ends_with(".sql") && !name.starts_with(|c: char| c.is_ascii_digit())
    });
    repeated.sort();
    for path in repeated {
        db.execute(std::fs::read_to_string(&path)?.as_str())
            .await
            .with_context(|| format!("applying {}", path.display()))?;
    }
    db.close().await?;
    println!("{url}");
    stop.recv().await;
    stack.stop().await;
    Ok(())
}
