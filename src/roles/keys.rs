//! `taskfold keys`: management of the keys of access tokens.

use anyhow::Context as _;

use crate::config::accounts::KeysCommand;
use crate::program::Program;
use crate::servers::{Needs, Sharing};
use crate::{keys, migrate};

/// Needs of this role.
const NEEDS: Needs = Needs { sharing: Sharing::Attach, roles: &[], owner: true, nats: false };

pub async fn run(program: Program, KeysCommand::Rotate { revoke_old }: KeysCommand) -> anyhow::Result<()> {
    program
        .with_servers(NEEDS, async |environment| {
            let owner =
                environment.owner.as_ref().context("rotating keys needs DATABASE_URL, with the owner as user")?;
            migrate::check(owner).await?;
            let keys::Rotated { kid, removed } = keys::rotate(owner, revoke_old).await?;
            println!("created the key {kid}, which signs within a minute, and removed {removed} older keys");
            Ok(())
        })
        .await
}
