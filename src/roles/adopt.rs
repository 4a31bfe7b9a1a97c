//! `taskfold adopt`: the way on after a restore. The log that is there is the one to go on with, under another id.

use anyhow::Context as _;
use taskfold_projector::adopt::{Adopted, adopt};

use crate::databases::DatabaseRole;
use crate::migrate;
use crate::program::{Program, Site};
use crate::servers::{Needs, Sharing};

/// What this role needs of the servers.
const NEEDS: Needs = Needs { sharing: Sharing::Attach, parts: &[DatabaseRole::Projector], owner: true, nats: true };

pub async fn run(program: Program) -> anyhow::Result<()> {
    program.with_servers(NEEDS, work).await
}

async fn work(here: Site) -> anyhow::Result<()> {
    let owner = here.owner.clone().context("adopting a log needs DATABASE_URL, the owner's")?;
    migrate::check(&owner).await?;
    let deps = here.projector().await?;
    let Adopted { before, now, fork, head } = adopt(&owner, &deps).await?;
    println!("the log is {} now, and was {} before", now.id, before.id);
    println!("it has {head} events, of which the first {fork} are those of the log before");
    println!("the stream {} is published anew", deps.stream);
    Ok(())
}
