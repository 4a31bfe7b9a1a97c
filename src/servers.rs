//! Choice of PostgreSQL and NATS: servers set by URL, those of a running program, or embedded ones.

use std::path::Path;

use crate::config::Settings;
use crate::databases::DatabaseRole;
use taskfold_embedded::{Durability, Options, Stack, attach};

/// URLs of the servers, and the embedded servers if this process started any.
pub struct Servers {
    /// URL of the owner. `None` if every role in use has its own URL.
    pub database_url: Option<String>,
    /// `None` if NATS is not needed.
    pub nats_url: Option<String>,
    pub stack: Option<Stack>,
}

/// Use of the servers of another program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Uses the servers of a `taskfold` that runs on the same data dir.
    Attach,
    /// Requires a data dir that no other program uses.
    Alone,
}

/// Servers and logins that a role needs.
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    pub sharing: Sharing,
    /// Database roles that sign in.
    pub roles: &'static [DatabaseRole],
    /// The owner of the tables signs in too.
    pub owner: bool,
    pub nats: bool,
}

impl Servers {
    /// Finds the servers, or starts embedded ones.
    pub async fn find(settings: &Settings, needs: Needs) -> anyhow::Result<Self> {
        let database_given = settings.database_url.is_some()
            || !needs.owner && needs.roles.iter().all(|role| settings.role_urls.of(*role).is_some());
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
            tracing::info!(data_dir = %data_dir.display(), "using the servers of the taskfold that is running on this data dir");
            let found = Self {
                database_url: given.database_url.or(running_database),
                nats_url: given.nats_url.or(running_nats),
                stack: None,
            };
            let missing = |variable| {
                anyhow::anyhow!(
                    "the taskfold that is running on this data dir does not use an embedded server for it: set {variable} to the same value"
                )
            };
            anyhow::ensure!(database_given || found.database_url.is_some(), missing("DATABASE_URL"));
            anyhow::ensure!(!needs.nats || found.nats_url.is_some(), missing("NATS_URL"));
            return Ok(found);
        }
        // A NATS_URL that this role does not need shows that the other roles do not use embedded servers.
        if database_given != settings.nats_url.is_some() && (needs.nats || !database_given) {
            let (has, lacks) = if database_given { ("DATABASE_URL", "NATS_URL") } else { ("NATS_URL", "DATABASE_URL") };
            // A private server next to a shared one would look like an empty system, whose changes no other role sees.
            anyhow::ensure!(
                needs.sharing == Sharing::Alone,
                "{has} is set and {lacks} is not: a role that runs alone uses the servers of the other roles, so set {lacks} too"
            );
            tracing::warn!("{has} is set and {lacks} is not: starting an embedded server instead");
        }
        let stack = Stack::start(Options {
            data_dir: data_dir.clone(),
            postgres: !database_given,
            nats: (!nats_given).then(|| settings.stream.clone()),
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
