//! `taskfold accounts`: management of accounts by operators.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Context as _, ensure};
use sqlx::PgPool;

use crate::accounts;
use crate::config::accounts::AccountsCommand;
use crate::migrate;
use crate::program::{Environment, Program};
use crate::servers::{Needs, Sharing};

/// Needs of this role.
const NEEDS: Needs = Needs { sharing: Sharing::Attach, roles: &[], owner: true, nats: false };

pub async fn run(program: Program, command: AccountsCommand) -> anyhow::Result<()> {
    program.with_servers(NEEDS, |environment| manage(environment, command)).await
}

async fn manage(environment: Environment, command: AccountsCommand) -> anyhow::Result<()> {
    let owner: &PgPool =
        environment.owner.as_ref().context("managing accounts needs DATABASE_URL, with the owner as user")?;
    migrate::check(owner).await?;
    match command {
        AccountsCommand::List => {
            accounts::list(owner, |account| {
                let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "-".to_owned());
                let (username, display_name) = (name(&account.username), name(&account.display_name));
                let mut out = std::io::stdout().lock();
                writeln!(out, "{}\t{username}\t{}\t{display_name}", account.user_id, account.state())
            })
            .await
        }
        AccountsCommand::Create { username, display_name } => {
            let clock = &environment.program.clock;
            let id = accounts::create(owner, clock, (username, display_name), password()?).await?;
            println!("created {id}");
            Ok(())
        }
        AccountsCommand::Disable { account } => {
            accounts::disable(owner, &accounts::find(owner, &account).await?).await?;
            println!("disabled {account}: its sessions, tokens, links and streams end within seconds");
            Ok(())
        }
        AccountsCommand::Enable { account } => {
            accounts::enable(owner, &accounts::find(owner, &account).await?).await?;
            println!("enabled {account}");
            Ok(())
        }
        AccountsCommand::SetPassword { account } => {
            accounts::set_password(owner, &accounts::find(owner, &account).await?, password()?).await?;
            println!("set the password of {account}, and ended its sessions");
            Ok(())
        }
        AccountsCommand::Erase { account, yes } => {
            let found = accounts::find(owner, &account).await?;
            ensure!(yes || confirmed(&account)?, "not erased: repeat the command with --yes");
            accounts::erase(owner, &found).await?;
            println!("erased {account}: the id {} is left", found.user_id);
            Ok(())
        }
    }
}

/// Password in TASKFOLD_PASSWORD, or the first line of the standard input. A flag could be read in the list of
/// processes.
fn password() -> anyhow::Result<String> {
    if let Ok(password) = std::env::var("TASKFOLD_PASSWORD") {
        return Ok(password);
    }
    if std::io::stdin().is_terminal() {
        print!("Password (shown while you type): ");
        std::io::stdout().flush()?;
    }
    line()
}

fn confirmed(account: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    print!("Erase the account {account} permanently? Type its name: ");
    std::io::stdout().flush()?;
    Ok(line()? == account)
}

fn line() -> anyhow::Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("reading the standard input")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
