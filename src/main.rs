//! The program: picks the role.

use taskfold::embedded::*;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(std::io::stderr).init();
    let s = Stack::start(Options {
        data_dir: std::env::args().nth(1).unwrap_or_default().into(),
        postgres: true,
        nats: true,
        durability: Durability::Full,
    })
    .await?;
    tracing::info!("{:?} {:?} {:?}", s.database_url(), s.nats_url(), s.servers());
    tokio::signal::ctrl_c().await?;
    tracing::info!("{:?}", s.servers());
    s.stop().await;
    Ok(())
}
