//! Servers for comparison with the live streams: axum in memory, and nginx with Nchan.

use std::sync::Arc;

use serde_json::Value;

use super::measure::Measured;
use crate::memory_server;
use crate::nchan::Nchan;
use crate::projects::Projects;
use crate::publisher::How;
use crate::system::Process;

/// A server that has the same frames in memory and no database, measured alternately with Taskfold.
pub struct Peer {
    pub name: &'static str,
    pub runs: Vec<Measured>,
    server: Server,
}

enum Server {
    Axum(Process),
    Nchan(Nchan),
}

impl Peer {
    pub async fn axum() -> anyhow::Result<Self> {
        let server = Server::Axum(memory_server::start().await?);
        Ok(Self { name: "in memory", runs: Vec::new(), server })
    }

    pub async fn nchan(workers: usize) -> anyhow::Result<Self> {
        let server = Server::Nchan(Nchan::start(workers).await?);
        Ok(Self { name: "nchan", runs: Vec::new(), server })
    }

    pub fn process(&self) -> &Process {
        match &self.server {
            Server::Axum(process) => process,
            Server::Nchan(nchan) => &nchan.process,
        }
    }

    /// Prepares the server for listeners; returns the way to send this Change to it as a frame.
    pub async fn prepare(&self, projects: &Projects, change: &Value) -> anyhow::Result<How> {
        Ok(match &self.server {
            Server::Axum(_) => How::Frame(change.clone()),
            Server::Nchan(nchan) => {
                nchan.greet(projects).await?;
                How::Numbered(change.clone(), Arc::clone(&nchan.numbers))
            }
        })
    }
}
