//! `taskfold adopt`: continues with a log that was restored to an earlier state, under a new id.

use anyhow::Context as _;
use taskfold_projector::adopt::{Adopted, adopt};

use crate::databases::DatabaseRole;
use crate::migrate;
use crate::program::{Environment, Program};
use crate::servers::{Needs, Sharing};

/// Needs of this role.
const NEEDS: Needs = Needs { sharing: Sharing::Attach, roles: &[DatabaseRole::Projector], owner: true, nats: true };

pub async fn run(program: Program) -> anyhow::Result<()> {
    program.with_servers(NEEDS, work).await
}

async fn work(environment: Environment) -> anyhow::Result<()> {
    let owner = environment.owner.clone().context("adopting a log needs DATABASE_URL, with the owner as user")?;
    migrate::check(&owner).await?;
    let deps = environment.projector().await?;
    let Adopted { before, now, fork, head } = adopt(&owner, &deps).await?;
    println!("the log id is now {}, it was {}", now.id, before.id);
    println!("the log has {head} events, the first {fork} in common with the log before");
    println!("the stream {} was published again", deps.stream);
    Ok(())
}
