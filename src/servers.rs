//! Where PostgreSQL and NATS are: given by URL, run by a program that is already there, or our own.

use std::path::Path;

use crate::config::Settings;
use crate::embedded::{Durability, Options, Stack, attach};

/// Both URLs, and the servers behind them if they are ours.
pub struct Servers {
    pub database_url: String,
    pub nats_url: String,
    pub stack: Option<Stack>,
}

/// Whether servers of another program may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Beside a running `taskfold` on the same data dir, use its servers.
    Attach,
    /// The data dir is to be ours alone.
    Alone,
}

impl Servers {
    pub async fn find(settings: &Settings, sharing: Sharing) -> anyhow::Result<Self> {
        let Settings { database_url, nats_url, data_dir, .. } = settings;
        if let (Some(database_url), Some(nats_url)) = (database_url, nats_url) {
            return Ok(Self { database_url: database_url.clone(), nats_url: nats_url.clone(), stack: None });
        }
        if sharing == Sharing::Attach
            && let Some((running_database, running_nats)) = running(data_dir)
        {
            tracing::info!(data_dir = %data_dir.display(), "using the servers of the taskfold that runs on this data dir");
            return Self::from_parts(
                database_url.clone().or(running_database),
                nats_url.clone().or(running_nats),
                None,
            );
        }
        let stack = Stack::start(Options {
            data_dir: data_dir.clone(),
            postgres: database_url.is_none(),
            nats: nats_url.is_none(),
            durability: Durability::Full,
        })
        .await?;
        let database_url = database_url.clone().or_else(|| stack.database_url());
        let nats_url = nats_url.clone().or_else(|| stack.nats_url());
        Self::from_parts(database_url, nats_url, Some(stack))
    }

    pub async fn stop(self) {
        if let Some(stack) = self.stack {
            stack.stop().await;
        }
    }

    fn from_parts(
        database_url: Option<String>,
        nats_url: Option<String>,
        stack: Option<Stack>,
    ) -> anyhow::Result<Self> {
        let missing = |variable| {
            anyhow::anyhow!(
                "the taskfold that runs on this data dir has no such server of its own: set {variable} as it was set there"
            )
        };
        Ok(Self {
            database_url: database_url.ok_or_else(|| missing("DATABASE_URL"))?,
            nats_url: nats_url.ok_or_else(|| missing("NATS_URL"))?,
            stack,
        })
    }
}

fn running(data_dir: &Path) -> Option<(Option<String>, Option<String>)> {
    attach(data_dir).map(|running| (running.database_url, running.nats_url))
}
