//! `/health/live`, `/health/ready` and `/metrics`: what a balancer, an operator and Prometheus ask. Readiness says whether work gets done, and
//! not only whether servers answer.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use futures::future::join_all;
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use taskfold_event_log::metrics;
use tokio_util::sync::CancellationToken;

pub use clock::{follow as follow_the_clock, measure as measure_the_clock};
pub use dependency::Dependency;
use dependency::{Finding, Looked};
pub use pools::Pools;

/// The database's time.
mod clock;
/// Dependencies of a role, and the services that need them.
mod dependency;
/// Connections of the process.
mod pools;
/// Positions of the log, the read tables and the stream.
mod progress;
/// Checks of servers.
mod servers;
/// Check of the append's own tables.
mod writes;

/// Service that a process offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    Commands,
    Reads,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Condition {
    Ok,
    /// Serves, with something missing.
    Degraded,
    Down,
}

#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    commands: Option<Condition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reads: Option<Condition>,
    dependencies: Vec<Finding>,
}

struct Health {
    services: &'static [Service],
    dependencies: Vec<Dependency>,
    shutdown: CancellationToken,
}

/// The three paths, for any role. Once `shutdown` is cancelled it is not ready any more, so that nobody new is sent here.
pub fn router(
    services: &'static [Service],
    dependencies: Vec<Dependency>,
    pools: Pools,
    scraped: PrometheusHandle,
    shutdown: CancellationToken,
) -> Router {
    let health = Arc::new(Health { services, dependencies, shutdown });
    Router::new()
        .route("/health/live", get(|| async { Json(serde_json::json!({ "status": "ok" })) }))
        .route("/health/ready", get(ready))
        .with_state(health)
        .route(
            "/metrics",
            get(|| async move {
                if let Some(memory) = memory_stats::memory_stats() {
                    metrics::resident_memory().set(memory.physical_mem as f64);
                }
                pools.measure().await;
                ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], scraped.render())
            }),
        )
}

async fn ready(State(health): State<Arc<Health>>) -> impl IntoResponse {
    let looked = join_all(health.dependencies.iter().map(Dependency::look)).await;
    let (is_ready, readiness) = health.judge(looked);
    let code = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, [(header::CACHE_CONTROL, "no-store")], Json(readiness))
}

impl Health {
    /// Ready as long as anything is served: a balancer keeps an all-in-one whose log takes no commands, for its reads.
    fn judge(&self, looked: Vec<Looked>) -> (bool, Readiness) {
        let leaving = self.shutdown.is_cancelled();
        let condition = |service: Service| {
            let served = self.services.contains(&service).then_some(Condition::Ok)?;
            let worst = looked.iter().map(|looked| looked.condition_of(service)).max();
            Some(if leaving { Condition::Down } else { worst.unwrap_or(served) })
        };
        let (commands, reads) = (condition(Service::Commands), condition(Service::Reads));
        let serves = [commands, reads].into_iter().flatten().any(|condition| condition != Condition::Down);
        // A role that serves nobody is ready while all that it cannot do without is there.
        let works = self.services.is_empty() && looked.iter().all(Looked::is_there);
        let is_ready = !leaving && (serves || works);
        let mut dependencies: Vec<Finding> = looked.into_iter().map(|looked| looked.finding).collect();
        if leaving {
            let detail = "shutting down".to_owned();
            dependencies.push(Finding { name: "process".to_owned(), state: Condition::Down, detail });
        }
        let status = if is_ready { "ready" } else { "not-ready" };
        (is_ready, Readiness { status, commands, reads, dependencies })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &[Service] = &[Service::Commands, Service::Reads];

    fn dependency(outcome: Result<&'static str, &'static str>) -> Dependency {
        Dependency::new("it", move || Box::pin(async move { outcome.map(str::to_owned).map_err(str::to_owned) }))
    }

    async fn judged(
        services: &'static [Service],
        dependency: Dependency,
    ) -> (bool, Option<Condition>, Option<Condition>) {
        let health = Health { services, dependencies: vec![], shutdown: CancellationToken::new() };
        let (is_ready, readiness) = health.judge(vec![dependency.look().await]);
        (is_ready, readiness.commands, readiness.reads)
    }

    #[tokio::test]
    async fn what_is_there_is_ok() {
        let found = judged(BOTH, dependency(Ok("fine")).required_by(BOTH)).await;
        assert_eq!(found, (true, Some(Condition::Ok), Some(Condition::Ok)));
    }

    #[tokio::test]
    async fn a_process_is_ready_while_it_serves_anything() {
        let away = || dependency(Err("away"));
        let commands = &[Service::Commands];
        let found = judged(BOTH, away().required_by(commands)).await;
        assert_eq!(found, (true, Some(Condition::Down), Some(Condition::Ok)));
        assert_eq!(judged(commands, away().required_by(commands)).await, (false, Some(Condition::Down), None));
        assert!(!judged(BOTH, away().required_by(BOTH)).await.0);
        let found = judged(BOTH, away().degrades(&[Service::Reads])).await;
        assert_eq!(found, (true, Some(Condition::Ok), Some(Condition::Degraded)));
    }

    #[tokio::test]
    async fn a_role_that_serves_nobody_is_ready_with_all_that_it_requires() {
        assert!(judged(&[], dependency(Err("away")).degrades(BOTH)).await.0);
        assert!(!judged(&[], dependency(Err("away")).required_by(BOTH)).await.0);
    }
}
