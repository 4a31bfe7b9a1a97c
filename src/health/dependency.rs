use std::time::Duration;

use futures::future::BoxFuture;
use serde::Serialize;

use super::{Condition, Service};

const CHECK_LIMIT: Duration = Duration::from_secs(2);

type Check = Box<dyn Fn() -> BoxFuture<'static, Result<String, String>> + Send + Sync>;

/// Something that has to be as it should for the role to do its work, and how to look whether it is.
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

pub(super) struct Looked {
    pub finding: Finding,
    required_by: &'static [Service],
    degrades: &'static [Service],
}

impl Dependency {
    /// What is missed by nobody, until it is said by whom.
    pub fn new(
        name: impl Into<String>,
        check: impl Fn() -> BoxFuture<'static, Result<String, String>> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), required_by: &[], degrades: &[], check: Box::new(check) }
    }

    /// Without it, these are not served.
    pub fn required_by(self, services: &'static [Service]) -> Self {
        Self { required_by: services, ..self }
    }

    /// Without it, these are served with something missing.
    pub fn degrades(self, services: &'static [Service]) -> Self {
        Self { degrades: services, ..self }
    }

    pub(super) async fn look(&self) -> Looked {
        let outcome = tokio::time::timeout(CHECK_LIMIT, (self.check)()).await;
        let away = if self.required_by.is_empty() { Condition::Degraded } else { Condition::Down };
        let (state, detail) = match outcome {
            Ok(Ok(detail)) => (Condition::Ok, detail),
            Ok(Err(detail)) => (away, detail),
            Err(_) => (away, format!("no answer within {} s", CHECK_LIMIT.as_secs())),
        };
        let finding = Finding { name: self.name.clone(), state, detail };
        Looked { finding, required_by: self.required_by, degrades: self.degrades }
    }
}

impl Looked {
    pub fn condition_of(&self, service: Service) -> Condition {
        match self.finding.state {
            Condition::Degraded | Condition::Down if self.required_by.contains(&service) => Condition::Down,
            Condition::Degraded | Condition::Down if self.degrades.contains(&service) => Condition::Degraded,
            Condition::Ok | Condition::Degraded | Condition::Down => Condition::Ok,
        }
    }

    pub fn is_there(&self) -> bool {
        self.finding.state != Condition::Down
    }
}

/// An outcome of a check that asks a server. The words of the error stay in our log: they may name hosts and users.
pub(super) fn answered<T, E: std::fmt::Display>(name: &str, outcome: Result<T, E>) -> Result<T, String> {
    outcome.map_err(|error| {
        tracing::warn!(%error, "health check of {name} failed");
        "does not answer".to_owned()
    })
}
