//! Connections to PostgreSQL, as the database role of the one who asks, and to NATS, which may be away.

use std::time::Duration;

use anyhow::Context as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgPool};

const START_LIMIT: Duration = Duration::from_secs(30);
const ACQUIRE_LIMIT: Duration = Duration::from_secs(5);
/// A connection that answered this short a time ago is taken to be good; asking each time is a round trip for each request.
const KNOWN_GOOD: Duration = Duration::from_secs(1);

/// As whom to talk to the database. What each may do is in the migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseRole {
    /// The user of the URL, who owns the tables: migrations and keys.
    Owner,
    Command,
    Query,
    /// The live feed.
    Feed,
    Projector,
}

impl DatabaseRole {
    /// What a new connection says first.
    fn settings(self) -> Option<&'static str> {
        match self {
            Self::Owner => None,
            Self::Command => Some("SET ROLE taskfold_command"),
            Self::Query => Some("SET ROLE taskfold_query"),
            Self::Feed => Some("SET ROLE taskfold_feed"),
            // Read tables are made from the log, and made again from it when PostgreSQL dies before their last rows are on
            // disk. To wait for the disk would hold up commands: PostgreSQL lets one transaction at a time commit that
            // notifies somebody. And PostgreSQL would tell of every word that is too long to be searched for.
            Self::Projector => {
                Some("SET ROLE taskfold_projector; SET synchronous_commit = off; SET client_min_messages = warning")
            }
        }
    }

    /// Shown in `pg_stat_activity`.
    fn application_name(self) -> &'static str {
        match self {
            Self::Owner => "taskfold",
            Self::Command => "taskfold command-api",
            Self::Query => "taskfold query-api",
            Self::Feed => "taskfold live feed",
            Self::Projector => "taskfold projector",
        }
    }
}

/// Opens connections when they are needed; a database that goes away later is met again by the next who asks.
pub fn pool(database_url: &str, role: DatabaseRole, size: u32) -> anyhow::Result<PgPool> {
    let options = connect_options(database_url)?.application_name(role.application_name());
    Ok(PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(ACQUIRE_LIMIT)
        .test_before_acquire(false)
        .before_acquire(|connection, state| {
            Box::pin(async move {
                if state.idle_for > KNOWN_GOOD {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if let Some(settings) = role.settings() {
                    connection.execute(settings).await?;
                }
                Ok(())
            })
        })
        .connect_lazy_with(options))
}

/// Waits for a database that is still on its way up, as when everything is started at once.
pub async fn wait_for_database(database_url: &str) -> anyhow::Result<()> {
    let options = connect_options(database_url)?;
    let until = tokio::time::Instant::now() + START_LIMIT;
    let mut told = false;
    loop {
        let attempt = tokio::time::timeout_at(until, options.connect()).await;
        let error = match attempt {
            Ok(Ok(connection)) => return connection.close().await.context("closing the first connection"),
            Ok(Err(error)) => anyhow::Error::from(error),
            Err(_) => anyhow::anyhow!("no answer"),
        };
        if is_final(&error) || tokio::time::Instant::now() >= until {
            return Err(error.context("connecting to the database"));
        }
        if !told {
            tracing::warn!(error = format!("{error:#}"), "the database does not answer yet, waiting for it");
            told = true;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// A wrong password or an unknown database does not get better by waiting.
fn is_final(error: &anyhow::Error) -> bool {
    let code = error.downcast_ref::<sqlx::Error>().and_then(|error| error.as_database_error()?.code());
    code.is_some_and(|code| code.starts_with("28") || code == "3D000")
}

fn connect_options(database_url: &str) -> anyhow::Result<PgConnectOptions> {
    database_url.parse().context("reading the database's URL")
}

/// A client that connects in the background and again for ever: NATS may come later, or go and come back.
pub async fn nats(nats_url: &str, name: &str) -> anyhow::Result<async_nats::Client> {
    let servers: Vec<async_nats::ServerAddr> = nats_url
        .split(',')
        .map(|one| one.trim().parse())
        .collect::<Result<_, _>>()
        .context("reading the URL of NATS")?;
    async_nats::ConnectOptions::new()
        .name(name)
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(|attempts| {
            // At once, then slower up to two seconds.
            Duration::from_millis(50 * u64::try_from(attempts).unwrap_or(u64::MAX).min(40))
        })
        .event_callback(|event| async move { tracing::info!(%event, "nats") })
        .connect(servers)
        .await
        .context("connecting to NATS")
}
