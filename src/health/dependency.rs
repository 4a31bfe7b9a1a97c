//! Dependencies of a role, and the services that need each of them.

use std::time::Duration;

use futures::future::BoxFuture;
use serde::Serialize;

use super::{Condition, Service};

/// Limit of a check.
const CHECK_LIMIT: Duration = Duration::from_secs(2);

type Check = Box<dyn Fn() -> BoxFuture<'static, Result<String, Failure>> + Send + Sync>;

/// Failed check, with its detail.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// Is down if a service requires it, and otherwise degraded.
    Unavailable(String),
    /// Is down until somebody repairs it.
    Broken(String),
}

impl From<String> for Failure {
    fn from(detail: String) -> Self {
        Self::Unavailable(detail)
    }
}

/// A condition for the work of a role, with its check.
pub struct Dependency {
    name: String,
    required_by: &'static [Service],
    degrades: &'static [Service],
    check: Check,
}

#[derive(Serialize)]
pub(super) struct Finding {
    pub name: String,
    pub state: Condition,
    pub detail: String,
}

pub(super) struct CheckResult {
    pub finding: Finding,
    required_by: &'static [Service],
    degrades: &'static [Service],
}

impl Dependency {
    /// A dependency that no service needs yet. The check returns a detail in either case.
    pub fn new(
        name: impl Into<String>,
        check: impl Fn() -> BoxFuture<'static, Result<String, String>> + Send + Sync + 'static,
    ) -> Self {
        Self::with_failures(name, move || {
            let checking = check();
            Box::pin(async { Ok(checking.await?) })
        })
    }

    /// A dependency whose check tells failures apart.
    pub fn with_failures(
        name: impl Into<String>,
        check: impl Fn() -> BoxFuture<'static, Result<String, Failure>> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), required_by: &[], degrades: &[], check: Box::new(check) }
    }

    /// Sets the services that are not available without it.
    pub fn required_by(self, services: &'static [Service]) -> Self {
        Self { required_by: services, ..self }
    }

    /// Sets the services that are degraded without it.
    pub fn degrades(self, services: &'static [Service]) -> Self {
        Self { degrades: services, ..self }
    }

    pub(super) async fn run_check(&self) -> CheckResult {
        let outcome = tokio::time::timeout(CHECK_LIMIT, (self.check)()).await;
        let failed = if self.required_by.is_empty() { Condition::Degraded } else { Condition::Down };
        let (state, detail) = match outcome {
            Ok(Ok(detail)) => (Condition::Ok, detail),
            Ok(Err(Failure::Unavailable(detail))) => (failed, detail),
            Ok(Err(Failure::Broken(detail))) => (Condition::Down, detail),
            Err(_) => (failed, format!("no answer within {} s", CHECK_LIMIT.as_secs())),
        };
        let finding = Finding { name: self.name.clone(), state, detail };
        CheckResult { finding, required_by: self.required_by, degrades: self.degrades }
    }
}

impl CheckResult {
    pub fn condition_of(&self, service: Service) -> Condition {
        match self.finding.state {
            Condition::Degraded | Condition::Down if self.required_by.contains(&service) => Condition::Down,
            Condition::Degraded | Condition::Down if self.degrades.contains(&service) => Condition::Degraded,
            Condition::Ok | Condition::Degraded | Condition::Down => Condition::Ok,
        }
    }

    pub fn is_up(&self) -> bool {
        self.finding.state != Condition::Down
    }
}

/// Outcome of a check that calls a server. The error is logged and not served, because it may name hosts and users.
pub(super) fn answered<T, E: std::fmt::Display>(name: &str, outcome: Result<T, E>) -> Result<T, String> {
    outcome.map_err(|error| {
        tracing::warn!(%error, "health check of {name} failed");
        "does not answer".to_owned()
    })
}
