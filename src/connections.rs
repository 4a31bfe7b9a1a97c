//! Connections to PostgreSQL and NATS. NATS may be unavailable.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgPool};
use taskfold_event_log::deadline::{self, within};
use tokio::time::Instant;

use crate::config::nats::{self, Nats};
use crate::databases::DatabaseRole;

/// Limit of waiting for the database at the start.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Limit of waiting for a connection, below the deadline of a request, so that the error names the pool.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(3);
/// Interval of pings to NATS.
const NATS_PING: Duration = Duration::from_secs(2);
/// Limit of a request to NATS, and of connecting to one of its servers.
const NATS_CALL: Duration = Duration::from_secs(3);
/// Time for which a connection that answered is not tested again: a test would cost each request a round trip.
const KNOWN_GOOD: Duration = Duration::from_secs(1);

/// Time at which a session last began in a read-only database. One for the process, because it only decides whether
/// connections are replaced.
static READ_ONLY: Mutex<Option<Instant>> = Mutex::new(None);

/// Tells whether a session of this age may still be read-only after its database has become writable: a session keeps
/// the default that it began with.
fn may_be_read_only(age: Duration) -> bool {
    let last = *READ_ONLY.lock().unwrap_or_else(PoisonError::into_inner);
    age > KNOWN_GOOD && last.is_some_and(|last| last.elapsed() <= age)
}

/// Pool of the owner. It opens connections when they are needed, and again after an outage.
pub fn owner_pool(database_url: &str, size: u32) -> anyhow::Result<PgPool> {
    let options = connect_options(database_url)?.application_name("taskfold");
    Ok(pool_options(size).connect_lazy_with(options))
}

/// Pool of a role. Its sessions have the settings of the role, even if an administrator created the role without them.
pub fn pool(options: PgConnectOptions, role: DatabaseRole, size: u32) -> PgPool {
    pool_named(options, role, role.application_name(), size)
}

/// Pool of a role whose sessions have this name in `pg_stat_activity`.
pub fn pool_named(options: PgConnectOptions, role: DatabaseRole, name: &str, size: u32) -> PgPool {
    pool_options(size)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                let (names, values): (Vec<_>, Vec<_>) =
                    role.settings().into_iter().filter_map(|setting| setting.split_once('=')).unzip();
                let settings = sqlx::query_scalar!(
                    r#"
                    SELECT current_setting('transaction_read_only')::bool AS "read_only!"
                    FROM (
                        SELECT count(set_config(name, value, false))
                        FROM unnest($1::text[], $2::text[]) AS s (name, value)
                        WHERE current_setting(name) <> value) AS set
                    "#,
                    &names as _,
                    &values as _,
                );
                let read_only = within(deadline::REQUEST, settings.fetch_one(connection)).await?;
                if read_only {
                    *READ_ONLY.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                }
                Ok(())
            })
        })
        .connect_lazy_with(options.application_name(name))
}

/// Options that replace a connection which does not answer, so that no caller gets it.
fn pool_options(size: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(ACQUIRE_LIMIT)
        .test_before_acquire(false)
        .before_acquire(|connection, state| {
            Box::pin(async move {
                if may_be_read_only(state.age) {
                    return Ok(false);
                }
                if state.idle_for > KNOWN_GOOD {
                    within(deadline::PING, connection.ping()).await?;
                }
                Ok(true)
            })
        })
        .after_release(|connection, _| {
            Box::pin(async move {
                // Without this, sqlx would wait here for the rest of an abandoned answer, without a limit.
                if deadline::connections_are_suspect() {
                    within(deadline::PING, connection.ping()).await?;
                }
                Ok(true)
            })
        })
}

/// Waits for a database that is still starting, as when everything is started at once.
pub async fn wait_for_database(options: &PgConnectOptions) -> anyhow::Result<()> {
    let until = Instant::now() + START_LIMIT;
    let mut warned = false;
    loop {
        let attempt = tokio::time::timeout_at(until, options.connect()).await;
        let error = match attempt {
            Ok(Ok(connection)) => return connection.close().await.context("closing the first connection"),
            Ok(Err(error)) => anyhow::Error::from(error),
            Err(_) => anyhow::anyhow!("no answer"),
        };
        if is_final(&error) || Instant::now() >= until {
            return Err(error.context("connecting to the database"));
        }
        if !warned {
            tracing::warn!(error = format!("{error:#}"), "the database does not respond yet, waiting for it");
            warned = true;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Tells errors that waiting does not resolve: a wrong password or an unknown database.
fn is_final(error: &anyhow::Error) -> bool {
    let code = error.downcast_ref::<sqlx::Error>().and_then(|error| error.as_database_error()?.code());
    code.is_some_and(|code| code.starts_with("28") || code == "3D000")
}

/// Parses the URL of a database.
pub fn connect_options(database_url: &str) -> anyhow::Result<PgConnectOptions> {
    database_url.parse().context("reading the database's URL")
}

/// NATS client that connects in the background and reconnects forever: NATS may start later, or be unavailable for a
/// time.
pub async fn nats(nats_url: &str, settings: &Nats, name: &str) -> anyhow::Result<async_nats::Client> {
    let servers = nats::servers(nats_url).context("the URL of NATS")?;
    let options = settings.options(nats_url).context("the URL of NATS")?;
    // It would log them at level debug, too.
    let servers = servers.into_iter().map(without_credentials).collect::<anyhow::Result<Vec<_>>>()?;
    options
        .name(name)
        // The client replaces a connection after three unanswered pings.
        .ping_interval(NATS_PING)
        .connection_timeout(NATS_CALL)
        .request_timeout(Some(NATS_CALL))
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(|attempts| {
            // At once, then after up to two seconds.
            Duration::from_millis(50 * u64::try_from(attempts).unwrap_or(u64::MAX).min(40))
        })
        .event_callback(|event| async move { tracing::info!(%event, "nats") })
        .connect(servers)
        .await
        .context("connecting to NATS")
}

fn without_credentials(server: async_nats::ServerAddr) -> anyhow::Result<async_nats::ServerAddr> {
    let mut url = server.into_inner();
    // They fail for a URL without a host, which has no credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    async_nats::ServerAddr::from_url(url).context("reading the URL of NATS")
}
