//! `taskfold migrate`: the schema, and nothing else.

use crate::program::Program;
use crate::servers::{Needs, Sharing};

/// What this role needs of the servers.
const NEEDS: Needs = Needs { sharing: Sharing::Attach, parts: &[], owner: true, nats: false };

pub async fn run(program: Program) -> anyhow::Result<()> {
    program
        .with_servers(NEEDS, async |site| {
            site.migrate().await?;
            println!("the schema is current");
            Ok(())
        })
        .await
}
