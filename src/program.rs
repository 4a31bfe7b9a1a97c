//! Settings, metrics, connections and health of a process, and the steps that several roles have in common.

use std::future::Future;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::middleware::from_fn_with_state;
use futures::FutureExt as _;
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use taskfold_event_log::deadline::{REQUEST, within};
use taskfold_event_log::{Clock, LogIdentity, Writes};
use taskfold_projector::sessions;
use taskfold_web::auth::Verifier;
use taskfold_web::{client, layers};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::connections;
use crate::databases::{self, DatabaseRole};
use crate::health::{self, Dependency, Pools, Service};
use crate::identity::{EndedAuthorityReader, Issuer, StoredTokens};
use crate::lifecycle::{self, Components};
use crate::servers::{Needs, Servers};
use crate::{keys, migrate, nats_restart, server, telemetry};
use taskfold_embedded::Restarter;

/// Connections of the owner, which needs few for migrations and logins.
const OWNER_CONNECTIONS: u32 = 2;

/// A process that has read its settings and has no servers yet.
#[derive(Clone)]
pub struct Program {
    pub settings: Settings,
    pub metrics: PrometheusHandle,
    /// Clock of the process, which everything that needs time or ids is given.
    pub clock: Clock,
    pub shutdown: CancellationToken,
}

impl Program {
    /// Starts telemetry and signal handling. Called once, inside the runtime.
    #[expect(clippy::disallowed_methods, reason = "the only clock of the process")]
    pub fn start(settings: Settings) -> anyhow::Result<Self> {
        let metrics = telemetry::init(&settings)?;
        server::raise_open_files_limit();
        Ok(Self { settings, metrics, clock: Clock::system(), shutdown: lifecycle::on_signals()? })
    }

    /// Binds the port. Called first, so that a port in use is reported at once, and not after the servers have started.
    pub async fn listen(&self) -> anyhow::Result<TcpListener> {
        let address = self.settings.listen;
        server::listen(address).with_context(|| {
            format!(
                "listening on {address} (is it used by another program? `--listen 127.0.0.1:0` chooses a free port)"
            )
        })
    }

    /// Finds or starts PostgreSQL and NATS, runs the work with them, and stops the servers that it started.
    pub async fn with_servers<W>(&self, needs: Needs, work: impl FnOnce(Environment) -> W) -> anyhow::Result<()>
    where
        W: Future<Output = anyhow::Result<()>>,
    {
        // A signal may arrive while binaries are fetched or a database starts.
        let found = self.shutdown.run_until_cancelled(self.environment(needs)).await;
        let (servers, environment) = found.context("interrupted while starting")??;
        let owner = environment.owner.clone();
        let outcome = work(environment).await;
        if let Some(owner) = owner {
            // Else its connections would report that the server ended.
            owner.close().await;
        }
        servers.stop().await;
        outcome
    }

    async fn environment(&self, needs: Needs) -> anyhow::Result<(Servers, Environment)> {
        let servers = Servers::find(&self.settings, needs).await?;
        let mut environment = Environment::new(self.clone(), servers.database_url.clone(), servers.nats_url.clone())?;
        let first = match (&servers.database_url, needs.roles.first()) {
            (Some(url), _) => Some(connections::connect_options(url)?),
            (None, Some(role)) => Some(environment.sign_in(*role).await?),
            (None, None) => None,
        };
        if let Some(options) = first {
            connections::wait_for_database(&options).await?;
        }
        let embedded = servers.stack.as_ref().map(|stack| stack.watch()).unwrap_or_default();
        environment.follower_nats_url = servers.stack.as_ref().and_then(|stack| stack.follower_nats_url());
        environment.nats_restarter = servers.stack.as_ref().and_then(|stack| stack.nats_restarter());
        environment.dependencies = embedded.into_iter().map(Dependency::embedded).collect();
        Ok((servers, environment))
    }
}

/// A process with its PostgreSQL and NATS.
pub struct Environment {
    pub program: Program,
    pub database_url: Option<String>,
    pub nats_url: Option<String>,
    /// URL for followers, if this process started the nats-server.
    pub follower_nats_url: Option<String>,
    /// Pool of the owner of the tables, if its URL is known.
    pub owner: Option<PgPool>,
    dependencies: Vec<Dependency>,
    pools: Pools,
    /// Restarts the nats-server, if this process started it.
    nats_restarter: Option<Restarter>,
    /// Notified when publishing stays stuck.
    stuck: Arc<Notify>,
}

impl Environment {
    /// Environment with servers that this process does not manage.
    pub fn new(program: Program, database_url: Option<String>, nats_url: Option<String>) -> anyhow::Result<Self> {
        let owner = database_url.as_deref().map(|url| connections::owner_pool(url, OWNER_CONNECTIONS)).transpose()?;
        Ok(Self {
            program,
            database_url,
            nats_url,
            follower_nats_url: None,
            owner,
            dependencies: Vec::new(),
            pools: Pools::default(),
            nats_restarter: None,
            stuck: Arc::default(),
        })
    }

    async fn sign_in(&self, role: DatabaseRole) -> anyhow::Result<PgConnectOptions> {
        databases::sign_in(role, &self.program.settings.role_urls, self.owner.as_ref()).await
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
        let url = self.nats_url.as_deref().context("NATS_URL is not set")?;
        connections::nats(url, &self.program.settings.nats, "taskfold").await
    }

    /// Values for the projector.
    pub async fn projector(&self) -> anyhow::Result<taskfold_projector::Deps> {
        let Program { settings, clock, shutdown, .. } = &self.program;
        let holder = clock.random_id();
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

    /// Adds the component that restarts a nats-server of this process when publishing stays stuck.
    pub fn restart_stuck_nats(&mut self, components: &mut Components) {
        if let Some(server) = self.nats_restarter.take() {
            let restarting =
                nats_restart::restart_when_stuck(Arc::clone(&self.stuck), server, self.program.shutdown.clone());
            components.spawn("restart of NATS", restarting.map(Ok));
        }
    }

    /// Migrates the schema, with its roles and grants.
    pub async fn migrate(&self) -> anyhow::Result<()> {
        let owner = self.owner.as_ref().context("migrating needs DATABASE_URL, with the owner as user")?;
        migrate::run(owner, &self.program.settings.role_urls).await
    }

    /// Allows events that the previous release cannot read.
    pub async fn finish_upgrade(&self) -> anyhow::Result<()> {
        let owner = self.owner.as_ref().context("finishing an upgrade needs DATABASE_URL, with the owner as user")?;
        migrate::finish(owner).await
    }

    /// Identity of the log. Adds the components that keep it and the offset of the database's clock current.
    pub async fn log(
        &self,
        pool: &PgPool,
        components: &mut Components,
    ) -> anyhow::Result<watch::Receiver<LogIdentity>> {
        let identity =
            within(REQUEST, taskfold_event_log::identity(pool)).await.context("reading the identity of the log")?;
        let (sender, log) = watch::channel(identity);
        let Program { clock, shutdown, .. } = &self.program;
        let watching = taskfold_event_log::watch_identity(pool.clone(), sender, shutdown.clone());
        components.spawn("identity of the log", watching.map(Ok));
        health::measure_the_clock(clock, pool).await.context("reading the database's clock")?;
        components.spawn("clock", health::follow_the_clock(clock.clone(), pool.clone(), shutdown.clone()).map(Ok));
        Ok(log)
    }

    /// Verifier of tokens with all known keys. Adds the components that keep them current. API tokens are read through
    /// `pool`.
    pub async fn verifier(&self, pool: &PgPool, components: &mut Components) -> anyhow::Result<Verifier> {
        let Program { settings, clock, shutdown, .. } = &self.program;
        let verifier = Verifier::new(clock.clone())
            .with_api_tokens(Arc::new(StoredTokens::new(pool.clone(), clock.clone())))
            .with_key_source(Arc::new(keys::StoredKeys(pool.clone())));
        keys::load_into(&verifier, pool).await?;
        let known = verifier.ended_authority().clone();
        let reader = EndedAuthorityReader::read(pool.clone(), clock.clone(), known).await?;
        components.spawn("ended authority", reader.keep_current(shutdown.clone()));
        components.spawn("keys", keys::keep_current(verifier.clone(), pool.clone(), shutdown.clone()));
        let Some(oidc) = &settings.oidc else { return Ok(verifier) };
        let issuer = Arc::new(Issuer::new(oidc.clone(), pool.clone(), clock.clone())?);
        components.spawn("keys of the external issuer", Arc::clone(&issuer).keep_current(shutdown.clone()));
        Ok(verifier.with_outside_issuer(issuer))
    }

    /// Routes of health and metrics for the port of the API, with the dependencies of the role and the embedded servers.
    /// With an address for administrators, readiness and metrics are served there instead, by a component.
    pub fn health(
        &mut self,
        services: &'static [Service],
        more: impl IntoIterator<Item = Dependency>,
        components: &mut Components,
    ) -> anyhow::Result<Router> {
        let mut dependencies = std::mem::take(&mut self.dependencies);
        dependencies.extend(more);
        let Program { settings, metrics, clock, shutdown } = self.program.clone();
        let health::Routes { live, internal } =
            health::routes(services, dependencies, self.pools.clone(), metrics, shutdown);
        let Some(address) = settings.admin_listen else { return Ok(live.merge(internal)) };
        let listener = server::listen(address)
            .with_context(|| format!("listening on {address} for health and metrics (--admin-listen)"))?;
        tracing::info!(address = %listener.local_addr()?, "health and metrics are served on an address of their own");
        let router = layers::around(Router::new(), live.clone().merge(internal), None, clock);
        self.serve(listener, router, components);
        Ok(live)
    }

    /// Adds the HTTP server as a component.
    pub fn serve(&self, listener: TcpListener, router: Router, components: &mut Components) {
        let Program { settings, clock, shutdown, .. } = &self.program;
        let limits = settings.limits.connections;
        let router = router.layer(from_fn_with_state(settings.accounts.trusted_proxies, client::locate));
        components.spawn("http", server::serve(listener, router, limits, clock.clone(), shutdown.clone()));
    }
}
