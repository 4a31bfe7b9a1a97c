//! What every role has in hand: settings, metrics, and the token that ends it; and what serving roles do alike.

use std::future::Future;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use futures::FutureExt as _;
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use taskfold_event_log::clock;
use taskfold_event_log::deadline::{REQUEST, within};
use taskfold_event_log::{LogIdentity, Writes};
use taskfold_projector::sessions;
use taskfold_web::auth::Verifier;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::connections;
use crate::databases::{self, DatabaseRole};
use crate::health::{self, Dependency, Pools, Service};
use crate::identity::{Issuer, StoredTokens};
use crate::lifecycle::{self, Parts};
use crate::servers::{Needs, Servers};
use crate::{keys, migrate, nats_restart, server, telemetry};
use taskfold_embedded::Restarter;

/// Few are enough for migrations and logins.
const OWNER_CONNECTIONS: u32 = 2;

/// A process that has read its settings and does not yet serve.
#[derive(Clone)]
pub struct Program {
    pub settings: Settings,
    pub metrics: PrometheusHandle,
    pub shutdown: CancellationToken,
}

impl Program {
    /// Inside the runtime, once.
    pub fn start(settings: Settings) -> anyhow::Result<Self> {
        let metrics = telemetry::init(&settings)?;
        server::raise_open_files_limit();
        Ok(Self { settings, metrics, shutdown: lifecycle::on_signals()? })
    }

    /// First of all, so that a port that is taken is said at once and not after seconds of starting servers.
    pub async fn listen(&self) -> anyhow::Result<TcpListener> {
        let address = self.settings.listen;
        server::listen(address).with_context(|| {
            format!("listening on {address}: is another program there? `--listen 127.0.0.1:0` takes any free port")
        })
    }

    /// Finds or starts PostgreSQL and NATS, works with them, and stops what it has started, however the work ends.
    pub async fn with_servers<W>(&self, needs: Needs, work: impl FnOnce(Site) -> W) -> anyhow::Result<()>
    where
        W: Future<Output = anyhow::Result<()>>,
    {
        // A signal while binaries are fetched or a database is on its way up.
        let found = self.shutdown.run_until_cancelled(self.site(needs)).await;
        let (servers, site) = found.context("interrupted while starting")??;
        let owner = site.owner.clone();
        let outcome = work(site).await;
        if let Some(owner) = owner {
            // Or its connections would find the server gone, and say so.
            owner.close().await;
        }
        servers.stop().await;
        outcome
    }

    async fn site(&self, needs: Needs) -> anyhow::Result<(Servers, Site)> {
        let servers = Servers::find(&self.settings, needs).await?;
        let mut site = Site::new(self.clone(), servers.database_url.clone(), servers.nats_url.clone())?;
        let first = match (&servers.database_url, needs.parts.first()) {
            (Some(url), _) => Some(connections::connect_options(url)?),
            (None, Some(part)) => Some(site.sign_in(*part).await?),
            (None, None) => None,
        };
        if let Some(options) = first {
            connections::wait_for_database(&options).await?;
        }
        let embedded = servers.stack.as_ref().map(|stack| stack.watch()).unwrap_or_default();
        site.nats_restarter = servers.stack.as_ref().and_then(|stack| stack.nats_restarter());
        site.dependencies = embedded.into_iter().map(Dependency::embedded).collect();
        Ok((servers, site))
    }
}

/// A program with its PostgreSQL and NATS.
pub struct Site {
    pub program: Program,
    pub database_url: Option<String>,
    pub nats_url: Option<String>,
    /// Connected as the owner of the tables, where its URL is known.
    pub owner: Option<PgPool>,
    dependencies: Vec<Dependency>,
    pools: Pools,
    /// Of the nats-server that was started here.
    nats_restarter: Option<Restarter>,
    /// Told when publishing stays stuck.
    stuck: Arc<Notify>,
}

impl Site {
    /// On servers that somebody else looks after, as tests do.
    pub fn new(program: Program, database_url: Option<String>, nats_url: Option<String>) -> anyhow::Result<Self> {
        let owner = database_url.as_deref().map(|url| connections::owner_pool(url, OWNER_CONNECTIONS)).transpose()?;
        Ok(Self {
            program,
            database_url,
            nats_url,
            owner,
            dependencies: Vec::new(),
            pools: Pools::default(),
            nats_restarter: None,
            stuck: Arc::default(),
        })
    }

    async fn sign_in(&self, role: DatabaseRole) -> anyhow::Result<PgConnectOptions> {
        databases::sign_in(role, &self.program.settings.part_urls, self.owner.as_ref()).await
    }

    pub async fn pool(&self, role: DatabaseRole) -> anyhow::Result<PgPool> {
        self.pool_named(role, role.application_name()).await
    }

    async fn pool_named(&self, role: DatabaseRole, name: &str) -> anyhow::Result<PgPool> {
        let pool = connections::pool_named(self.sign_in(role).await?, role, name, self.program.settings.pool_size);
        self.pools.add(role, pool.clone());
        Ok(pool)
    }

    pub async fn nats(&self) -> anyhow::Result<async_nats::Client> {
        connections::nats(self.nats_url.as_deref().context("NATS_URL is not set")?, "taskfold").await
    }

    /// What the projector works with.
    pub async fn projector(&self) -> anyhow::Result<taskfold_projector::Deps> {
        let Program { settings, shutdown, .. } = &self.program;
        let holder = clock::random_id();
        let name = |role: DatabaseRole| sessions::application_name(role.application_name(), holder);
        Ok(taskfold_projector::Deps {
            holder,
            pool: self.pool_named(DatabaseRole::Projector, &name(DatabaseRole::Projector)).await?,
            maintenance: self.pool_named(DatabaseRole::Maintenance, &name(DatabaseRole::Maintenance)).await?,
            nats: self.nats().await?,
            stream: settings.stream.clone(),
            stream_replicas: settings.stream_replicas,
            writes: Writes::default(),
            stuck: Arc::clone(&self.stuck),
            shutdown: shutdown.clone(),
        })
    }

    /// Starts a nats-server of ours again when the projector stays stuck on it, as a part of the process.
    pub fn heal_nats(&mut self, parts: &mut Parts) {
        if let Some(server) = self.nats_restarter.take() {
            let healing =
                nats_restart::restart_when_stuck(Arc::clone(&self.stuck), server, self.program.shutdown.clone());
            parts.spawn("healing of NATS", healing.map(Ok));
        }
    }

    /// The schema, with all that goes with it.
    pub async fn migrate(&self) -> anyhow::Result<()> {
        let owner = self.owner.as_ref().context("migrating needs DATABASE_URL, the owner's")?;
        migrate::run(owner, &self.program.settings.part_urls).await
    }

    /// Allows the log to be written in ways that the previous release cannot read.
    pub async fn finish_upgrade(&self) -> anyhow::Result<()> {
        let owner = self.owner.as_ref().context("finishing an upgrade needs DATABASE_URL, the owner's")?;
        migrate::finish(owner).await
    }

    /// Which log it is, and what time the database has, both kept current as parts of the process.
    pub async fn log(&self, pool: &PgPool, parts: &mut Parts) -> anyhow::Result<watch::Receiver<LogIdentity>> {
        let identity =
            within(REQUEST, taskfold_event_log::identity(pool)).await.context("reading the identity of the log")?;
        let (sender, log) = watch::channel(identity);
        let shutdown = &self.program.shutdown;
        let watching = taskfold_event_log::watch_identity(pool.clone(), sender, shutdown.clone());
        parts.spawn("identity of the log", watching.map(Ok));
        health::measure_the_clock(pool).await.context("reading the database's clock")?;
        parts.spawn("clock", health::follow_the_clock(pool.clone(), shutdown.clone()).map(Ok));
        Ok(log)
    }

    /// With all keys that are known, and kept current as a part of the process. What is not a session's token is looked
    /// up through `pool`.
    pub async fn verifier(&self, pool: &PgPool, parts: &mut Parts) -> anyhow::Result<Verifier> {
        let Program { settings, shutdown, .. } = &self.program;
        let verifier = Verifier::default()
            .with_api_tokens(Arc::new(StoredTokens::new(pool.clone())))
            .with_key_source(Arc::new(keys::StoredKeys(pool.clone())));
        keys::load_into(&verifier, pool).await?;
        parts.spawn("keys", keys::keep_current(verifier.clone(), pool.clone(), shutdown.clone()));
        let Some(oidc) = &settings.oidc else { return Ok(verifier) };
        let issuer = Arc::new(Issuer::new(oidc.clone(), pool.clone())?);
        parts.spawn("keys of the outside issuer", Arc::clone(&issuer).keep_current(shutdown.clone()));
        Ok(verifier.with_outside_issuer(issuer))
    }

    /// Health with what was started here and what the role adds.
    pub fn health(&mut self, services: &'static [Service], more: impl IntoIterator<Item = Dependency>) -> Router {
        let mut dependencies = std::mem::take(&mut self.dependencies);
        dependencies.extend(more);
        let Program { metrics, shutdown, .. } = self.program.clone();
        health::router(services, dependencies, self.pools.clone(), metrics, shutdown)
    }

    /// The HTTP door as a part of the process.
    pub fn serve(&self, listener: TcpListener, router: Router, parts: &mut Parts) {
        let Program { settings, shutdown, .. } = &self.program;
        parts.spawn("http", server::serve(listener, router, settings.limits.clone(), shutdown.clone()));
    }
}
