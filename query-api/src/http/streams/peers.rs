//! Other query-api instances, as NATS subjects.

use async_nats::Client;

/// Connection to the other instances.
#[derive(Clone)]
pub struct Peers {
    pub client: Client,
    /// Prefix of all subjects of this system.
    pub prefix: String,
}

impl Peers {
    /// Subject on which an instance receives changes of its streams.
    pub fn subject(&self, instance: &str) -> String {
        format!("{}.streams.{instance}", self.prefix)
    }
}
