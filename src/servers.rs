//! Where PostgreSQL and NATS are: given by URL, run by a program that is already there, or our own.

use std::path::Path;

use crate::config::Settings;
use crate::databases::DatabaseRole;
use taskfold_embedded::{Durability, Options, Stack, attach};

/// The URLs, and the servers behind them if they are ours.
pub struct Servers {
    /// The owner's. `None` when every part that is needed has a URL of its own.
    pub database_url: Option<String>,
    /// `None` when NATS is not needed.
    pub nats_url: Option<String>,
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

/// What a role needs of the servers.
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    pub sharing: Sharing,
    /// The parts that sign in to PostgreSQL.
    pub parts: &'static [DatabaseRole],
    /// Also as the owner of the tables.
    pub owner: bool,
    pub nats: bool,
}

impl Servers {
    pub async fn find(settings: &Settings, needs: Needs) -> anyhow::Result<Self> {
        let database_given = settings.database_url.is_some()
            || !needs.owner && needs.parts.iter().all(|part| settings.part_urls.of(*part).is_some());
        let nats_given = settings.nats_url.is_some() || !needs.nats;
        let given =
            Self { database_url: settings.database_url.clone(), nats_url: settings.nats_url.clone(), stack: None };
        if database_given && nats_given {
            return Ok(given);
        }
        let data_dir = &settings.data_dir;
        if needs.sharing == Sharing::Attach
            && let Some((running_database, running_nats)) = running(data_dir)
        {
            tracing::info!(data_dir = %data_dir.display(), "using the servers of the taskfold that runs on this data dir");
            let found = Self {
                database_url: given.database_url.or(running_database),
                nats_url: given.nats_url.or(running_nats),
                stack: None,
            };
            let missing = |variable| {
                anyhow::anyhow!(
                    "the taskfold that runs on this data dir has no such server of its own: set {variable} as it was set there"
                )
            };
            anyhow::ensure!(database_given || found.database_url.is_some(), missing("DATABASE_URL"));
            anyhow::ensure!(!needs.nats || found.nats_url.is_some(), missing("NATS_URL"));
            return Ok(found);
        }
        // NATS that was given, and is not needed here, says that the others have servers of their own.
        if database_given != settings.nats_url.is_some() && (needs.nats || !database_given) {
            let (has, lacks) = if database_given { ("DATABASE_URL", "NATS_URL") } else { ("NATS_URL", "DATABASE_URL") };
            // A private server beside a shared one would look like an empty system, and others would never hear of what happens in it.
            anyhow::ensure!(
                needs.sharing == Sharing::Alone,
                "{has} is given and {lacks} is not: a single role works with the servers of the other roles, so set {lacks} too"
            );
            tracing::warn!("{has} is given and {lacks} is not: starting a private server in its place");
        }
        let stack = Stack::start(Options {
            data_dir: data_dir.clone(),
            postgres: !database_given,
            nats: !nats_given,
            durability: Durability::Full,
        })
        .await?;
        Ok(Self {
            database_url: given.database_url.or_else(|| stack.database_url()),
            nats_url: given.nats_url.or_else(|| stack.nats_url()),
            stack: Some(stack),
        })
    }

    pub async fn stop(self) {
        if let Some(stack) = self.stack {
            stack.stop().await;
        }
    }
}

fn running(data_dir: &Path) -> Option<(Option<String>, Option<String>)> {
    attach(data_dir).map(|running| (running.database_url, running.nats_url))
}
