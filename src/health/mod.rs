//! `/health/live`, `/health/ready` and `/metrics`, for load balancers, operators and Prometheus. Readiness reports
//! progress, and not only whether servers answer.

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
use dependency::{CheckResult, Finding};
pub use pools::Pools;

/// Offset of the database's clock.
mod clock;
/// Dependencies of a role, and the services that need them.
mod dependency;
/// Database connections of the process.
mod pools;
/// Positions of the log, the read tables and the stream.
mod progress;
/// Checks of servers.
mod servers;
/// Check of the append's side tables.
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
    /// Available, with something missing.
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

/// Routes of one role.
pub struct Routes {
    /// `/health/live`, which tells only that the process responds.
    pub live: Router,
    /// `/health/ready` and `/metrics`, which tell what the process consists of and how it is used.
    pub internal: Router,
}

/// Routes of the three paths, for any role. The process is no longer ready once `shutdown` is cancelled, so that it
/// gets no new requests.
pub fn routes(
    services: &'static [Service],
    dependencies: Vec<Dependency>,
    pools: Pools,
    scraped: PrometheusHandle,
    shutdown: CancellationToken,
) -> Routes {
    let health = Arc::new(Health { services, dependencies, shutdown });
    let live = Router::new().route("/health/live", get(|| async { Json(serde_json::json!({ "status": "ok" })) }));
    let internal = Router::new().route("/health/ready", get(ready)).with_state(health).route(
        "/metrics",
        get(|| async move {
            if let Some(memory) = memory_stats::memory_stats() {
                metrics::resident_memory().set(memory.physical_mem as f64);
            }
            pools.measure().await;
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], scraped.render())
        }),
    );
    Routes { live, internal }
}

async fn ready(State(health): State<Arc<Health>>) -> impl IntoResponse {
    let results = join_all(health.dependencies.iter().map(Dependency::run_check)).await;
    let (is_ready, readiness) = health.judge(results);
    let code = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, [(header::CACHE_CONTROL, "no-store")], Json(readiness))
}

impl Health {
    /// Ready as long as any service is available: a load balancer keeps an all-in-one process whose log takes no
    /// commands, for its reads.
    fn judge(&self, results: Vec<CheckResult>) -> (bool, Readiness) {
        let shutting_down = self.shutdown.is_cancelled();
        let condition = |service: Service| {
            let served = self.services.contains(&service).then_some(Condition::Ok)?;
            let worst = results.iter().map(|result| result.condition_of(service)).max();
            Some(if shutting_down { Condition::Down } else { worst.unwrap_or(served) })
        };
        let (commands, reads) = (condition(Service::Commands), condition(Service::Reads));
        let serves = [commands, reads].into_iter().flatten().any(|condition| condition != Condition::Down);
        // A role without services is ready while nothing that it requires is down.
        let works = self.services.is_empty() && results.iter().all(CheckResult::is_up);
        let is_ready = !shutting_down && (serves || works);
        let mut dependencies: Vec<Finding> = results.into_iter().map(|result| result.finding).collect();
        if shutting_down {
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
        let (is_ready, readiness) = health.judge(vec![dependency.run_check().await]);
        (is_ready, readiness.commands, readiness.reads)
    }

    #[tokio::test]
    async fn available_dependencies_are_ok() {
        let found = judged(BOTH, dependency(Ok("fine")).required_by(BOTH)).await;
        assert_eq!(found, (true, Some(Condition::Ok), Some(Condition::Ok)));
    }

    #[tokio::test]
    async fn a_process_is_ready_while_it_serves_anything() {
        let failed = || dependency(Err("failed"));
        let commands = &[Service::Commands];
        let found = judged(BOTH, failed().required_by(commands)).await;
        assert_eq!(found, (true, Some(Condition::Down), Some(Condition::Ok)));
        assert_eq!(judged(commands, failed().required_by(commands)).await, (false, Some(Condition::Down), None));
        assert!(!judged(BOTH, failed().required_by(BOTH)).await.0);
        let found = judged(BOTH, failed().degrades(&[Service::Reads])).await;
        assert_eq!(found, (true, Some(Condition::Ok), Some(Condition::Degraded)));
    }

    #[tokio::test]
    async fn a_role_without_clients_is_ready_with_all_its_dependencies() {
        assert!(judged(&[], dependency(Err("failed")).degrades(BOTH)).await.0);
        assert!(!judged(&[], dependency(Err("failed")).required_by(BOTH)).await.0);
    }
}
