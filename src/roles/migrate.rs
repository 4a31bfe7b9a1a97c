//! `taskfold migrate`: the schema, and nothing else.

use crate::config::Migrate;
use crate::program::Program;
use crate::servers::{Needs, Sharing};

/// What this role needs of the servers.
const NEEDS: Needs = Needs { sharing: Sharing::Attach, parts: &[], owner: true, nats: false };

pub async fn run(program: Program, migrate: Migrate) -> anyhow::Result<()> {
    program
        .with_servers(NEEDS, async |site| {
            site.migrate().await?;
            println!("the schema is current");
            if migrate.finish {
                site.finish_upgrade().await?;
                println!("the upgrade is finished: the previous release can no longer read the log");
            }
            Ok(())
        })
        .await
}
