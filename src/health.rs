//! `/health/live`, `/health/ready` and `/metrics`: what a balancer, an operator and Prometheus ask.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use futures::future::{BoxFuture, join_all};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use sqlx::PgPool;
use taskfold_attachments::Store;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::embedded::{ServerState, ServerStatus};

const CHECK_LIMIT: Duration = Duration::from_secs(2);

/// What it means for the role when a dependency is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Not ready without it.
    Required,
    /// Serves, with something missing.
    Degrades,
}

type Check = Box<dyn Fn() -> BoxFuture<'static, Result<String, String>> + Send + Sync>;

/// Something outside of the role, and how to look whether it is there.
pub struct Dependency {
    name: String,
    need: Need,
    check: Check,
}

#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    dependencies: Vec<Finding>,
}

#[derive(Serialize)]
struct Finding {
    name: String,
    state: &'static str,
    detail: String,
}

struct Health {
    dependencies: Vec<Dependency>,
    shutdown: CancellationToken,
}

impl Dependency {
    pub fn new(
        name: impl Into<String>,
        need: Need,
        check: impl Fn() -> BoxFuture<'static, Result<String, String>> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), need, check: Box::new(check) }
    }

    pub fn postgres(pool: PgPool) -> Self {
        Self::new("postgres", Need::Required, move || {
            let pool = pool.clone();
            Box::pin(async move {
                // The words stay in our log: they may name hosts and users.
                let answer = sqlx::query("SELECT 1").execute(&pool).await;
                answer.map(|_| "answers".to_owned()).map_err(|error| {
                    tracing::warn!(%error, "health check of postgres failed");
                    "does not answer".to_owned()
                })
            })
        })
    }

    pub fn nats(client: async_nats::Client) -> Self {
        Self::new("nats", Need::Degrades, move || {
            let state = client.connection_state();
            Box::pin(async move {
                match state {
                    async_nats::connection::State::Connected => Ok("connected".to_owned()),
                    _ => Err("not connected, trying again".to_owned()),
                }
            })
        })
    }

    /// Where the bytes of attachments are. All else is served without them.
    pub fn attachments(store: Store) -> Self {
        Self::new("attachments", Need::Degrades, move || {
            let store = store.clone();
            Box::pin(async move {
                store.answers().await.map(|()| "answers".to_owned()).map_err(|error| {
                    tracing::warn!(%error, "health check of the store of attachments failed");
                    "does not answer".to_owned()
                })
            })
        })
    }

    /// How far the read tables are, and what had to be set aside.
    pub fn projection(pool: PgPool) -> Self {
        Self::new("projection", Need::Degrades, move || {
            let pool = pool.clone();
            Box::pin(async move {
                let look = async {
                    let head = taskfold_event_log::head(&pool).await?;
                    let projected = taskfold_event_log::projected_position(&pool).await?;
                    let (set_aside, first) = taskfold_projector::set_aside::summary(&pool).await?;
                    Ok::<_, sqlx::Error>((format!("at {projected} of {head}"), set_aside, first))
                };
                match look.await {
                    Ok((at, 0, _)) => Ok(at),
                    Ok((at, set_aside, first)) => {
                        Err(format!("{at}, {set_aside} events set aside, the first at {}", first.unwrap_or_default()))
                    }
                    Err(error) => {
                        tracing::warn!(%error, "health check of the projection failed");
                        Err("cannot be looked at".to_owned())
                    }
                }
            })
        })
    }

    /// An embedded server, which its supervisor watches.
    pub fn embedded(status: watch::Receiver<ServerStatus>) -> Self {
        let name = status.borrow().name;
        let need = if name == "postgres" { Need::Required } else { Need::Degrades };
        Self::new(format!("embedded-{name}"), need, move || {
            let ServerStatus { state, restarts, .. } = status.borrow().clone();
            Box::pin(async move {
                let detail = format!("{state}, started again {restarts} times");
                if state == ServerState::Up { Ok(detail) } else { Err(detail) }
            })
        })
    }

    async fn look(&self) -> (bool, Finding) {
        let outcome = tokio::time::timeout(CHECK_LIMIT, (self.check)()).await;
        let (state, detail) = match outcome {
            Ok(Ok(detail)) => ("ok", detail),
            Ok(Err(detail)) => (self.away(), detail),
            Err(_) => (self.away(), format!("no answer within {} s", CHECK_LIMIT.as_secs())),
        };
        (state != "down", Finding { name: self.name.clone(), state, detail })
    }

    fn away(&self) -> &'static str {
        match self.need {
            Need::Required => "down",
            Need::Degrades => "degraded",
        }
    }
}

/// The three paths, for any role. Once `shutdown` is cancelled it is not ready any more, so that nobody new is sent here.
pub fn router(dependencies: Vec<Dependency>, metrics: PrometheusHandle, shutdown: CancellationToken) -> Router {
    let health = Arc::new(Health { dependencies, shutdown });
    Router::new()
        .route("/health/live", get(|| async { Json(serde_json::json!({ "status": "ok" })) }))
        .route("/health/ready", get(ready))
        .with_state(health)
        .route(
            "/metrics",
            get(|| async move {
                if let Some(memory) = memory_stats::memory_stats() {
                    metrics::gauge!("process_resident_memory_bytes").set(memory.physical_mem as f64);
                }
                ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render())
            }),
        )
}

async fn ready(State(health): State<Arc<Health>>) -> impl IntoResponse {
    let (there, mut dependencies): (Vec<bool>, Vec<Finding>) =
        join_all(health.dependencies.iter().map(Dependency::look)).await.into_iter().unzip();
    let leaving = health.shutdown.is_cancelled();
    if leaving {
        dependencies.push(Finding { name: "process".into(), state: "down", detail: "shutting down".into() });
    }
    let is_ready = !leaving && there.into_iter().all(|ok| ok);
    let (code, status) =
        if is_ready { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not-ready") };
    (code, [(header::CACHE_CONTROL, "no-store")], Json(Readiness { status, dependencies }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn always(need: Need, outcome: Result<&'static str, &'static str>) -> Dependency {
        Dependency::new("it", need, move || Box::pin(async move { outcome.map(str::to_owned).map_err(str::to_owned) }))
    }

    #[tokio::test]
    async fn only_a_required_dependency_makes_it_unready() {
        assert!(always(Need::Required, Ok("fine")).look().await.0);
        let (ready, finding) = always(Need::Degrades, Err("away")).look().await;
        assert!(ready && finding.state == "degraded");
        let (ready, finding) = always(Need::Required, Err("away")).look().await;
        assert!(!ready && finding.state == "down");
    }
}
