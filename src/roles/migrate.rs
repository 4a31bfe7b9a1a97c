//! `taskfold migrate`: the schema, and nothing else.

use crate::migrate;
use crate::program::Program;
use crate::servers::Sharing;

pub async fn run(program: Program) -> anyhow::Result<()> {
    program
        .with_servers(Sharing::Attach, async |site| {
            migrate::run(&site.owner).await?;
            println!("the schema is current");
            Ok(())
        })
        .await
}
