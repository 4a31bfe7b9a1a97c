//! What every role has in hand: settings, metrics, and the token that ends it; and what serving roles do alike.

use std::future::Future;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;
use taskfold_openapi::auth::Verifier;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::connections::{self, DatabaseRole};
use crate::health::{self, Dependency};
use crate::identity::{Issuer, StoredTokens};
use crate::lifecycle::{self, Parts};
use crate::servers::{Servers, Sharing};
use crate::{keys, migrate, server, telemetry};

/// Few are enough for keys, migrations and checks.
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
    pub async fn with_servers<W>(&self, sharing: Sharing, work: impl FnOnce(Site) -> W) -> anyhow::Result<()>
    where
        W: Future<Output = anyhow::Result<()>>,
    {
        // A signal while binaries are fetched or a database is on its way up.
        let found = self.shutdown.run_until_cancelled(self.site(sharing)).await;
        let (servers, site) = found.context("interrupted while starting")??;
        let owner = site.owner.clone();
        let outcome = work(site).await;
        // Or its connections would find the server gone, and say so.
        owner.close().await;
        servers.stop().await;
        outcome
    }

    async fn site(&self, sharing: Sharing) -> anyhow::Result<(Servers, Site)> {
        let servers = Servers::find(&self.settings, sharing).await?;
        connections::wait_for_database(&servers.database_url).await?;
        let mut site = Site::new(self.clone(), servers.database_url.clone(), servers.nats_url.clone())?;
        let embedded = servers.stack.as_ref().map(|stack| stack.watch()).unwrap_or_default();
        site.dependencies = embedded.into_iter().map(Dependency::embedded).collect();
        Ok((servers, site))
    }
}

/// A program with its PostgreSQL and NATS.
pub struct Site {
    pub program: Program,
    pub database_url: String,
    pub nats_url: String,
    /// Connected as the owner of the tables.
    pub owner: PgPool,
    dependencies: Vec<Dependency>,
}

impl Site {
    /// On servers that somebody else looks after, as tests do.
    pub fn new(program: Program, database_url: String, nats_url: String) -> anyhow::Result<Self> {
        let owner = connections::pool(&database_url, DatabaseRole::Owner, OWNER_CONNECTIONS)?;
        Ok(Self { program, database_url, nats_url, owner, dependencies: Vec::new() })
    }

    pub fn pool(&self, role: DatabaseRole) -> anyhow::Result<PgPool> {
        connections::pool(&self.database_url, role, self.program.settings.pool_size)
    }

    pub async fn nats(&self) -> anyhow::Result<async_nats::Client> {
        connections::nats(&self.nats_url, "taskfold").await
    }

    /// Every role but the one that migrates by itself refuses an old schema in one sentence, not in SQL errors.
    pub async fn check_schema(&self) -> anyhow::Result<()> {
        migrate::check(&self.owner).await
    }

    /// With all keys that are known, and kept current as a part of the process. What is not a session's token is looked
    /// up through `pool`.
    pub async fn verifier(&self, pool: &PgPool, parts: &mut Parts) -> anyhow::Result<Verifier> {
        let Program { settings, shutdown, .. } = &self.program;
        let verifier = Verifier::default()
            .with_api_tokens(Arc::new(StoredTokens::new(pool.clone())))
            .with_key_source(Arc::new(keys::StoredKeys(self.owner.clone())));
        keys::load_into(&verifier, &self.owner).await?;
        parts.spawn("keys", keys::keep_current(verifier.clone(), self.owner.clone(), shutdown.clone()));
        let Some(oidc) = &settings.oidc else { return Ok(verifier) };
        let issuer = Arc::new(Issuer::new(oidc.clone(), pool.clone())?);
        parts.spawn("keys of the outside issuer", Arc::clone(&issuer).keep_current(shutdown.clone()));
        Ok(verifier.with_outside_issuer(issuer))
    }

    /// Health with what was started here and what the role adds.
    pub fn health(&mut self, more: impl IntoIterator<Item = Dependency>) -> Router {
        let mut dependencies = std::mem::take(&mut self.dependencies);
        dependencies.extend(more);
        health::router(dependencies, self.program.metrics.clone(), self.program.shutdown.clone())
    }

    /// The HTTP door as a part of the process.
    pub fn serve(&self, listener: TcpListener, router: Router, parts: &mut Parts) {
        let Program { settings, shutdown, .. } = &self.program;
        parts.spawn("http", server::serve(listener, router, settings.limits.clone(), shutdown.clone()));
    }
}
