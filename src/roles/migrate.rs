//! `taskfold migrate`: brings the schema up to date.

use crate::config::Migrate;
use crate::program::Program;
use crate::servers::{Needs, Sharing};

/// Needs of this role.
const NEEDS: Needs = Needs { sharing: Sharing::Attach, roles: &[], owner: true, nats: false };

pub async fn run(program: Program, migrate: Migrate) -> anyhow::Result<()> {
    program
        .with_servers(NEEDS, async |environment| {
            environment.migrate().await?;
            println!("the schema is current");
            if migrate.finish {
                environment.finish_upgrade().await?;
                println!("the upgrade is finished: the previous release can no longer read new events");
            }
            Ok(())
        })
        .await
}
