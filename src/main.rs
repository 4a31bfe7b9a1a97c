//! Entry point: reads the settings and runs the role.

use std::process::ExitCode;

use clap::Parser as _;
use taskfold::config::{Cli, Import, Role, Settings};
use taskfold::program::Program;
use taskfold::roles;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let settings = match cli.settings() {
        Ok(settings) => settings,
        Err(mistakes) => return fail(&mistakes.join("\n"), 2),
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("starting the runtime: {error}"), 1),
    };
    let outcome = runtime.block_on(run(cli.role.unwrap_or(Role::All), settings));
    // Does not wait for threads that are still blocked, such as an interrupted download.
    runtime.shutdown_background();
    outcome.map_or_else(|error| fail(&in_one_line(&error), 1), |()| ExitCode::SUCCESS)
}

/// Joins the error and its causes. Some libraries repeat the cause in their message, which is not printed twice.
fn in_one_line(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |line, cause| match line {
        line if line.is_empty() => cause,
        line if line.ends_with(&cause) => line,
        line => format!("{line}: {cause}"),
    })
}

async fn run(role: Role, settings: Settings) -> anyhow::Result<()> {
    let program = Program::start(settings)?;
    match role {
        Role::All => roles::all::run(program).await,
        Role::CommandApi => roles::command_api::run(program).await,
        Role::Projector => roles::projector::run(program).await,
        Role::QueryApi => roles::query_api::run(program).await,
        Role::Migrate(migrate) => roles::migrate::run(program, migrate).await,
        Role::Rebuild(rebuild) => roles::rebuild::run(program, rebuild).await,
        Role::Verify => roles::verify::run(program).await,
        Role::Retry => roles::retry::run(program).await,
        Role::Adopt => roles::adopt::run(program).await,
        Role::Openapi { check, dir } => roles::openapi::run(check, &dir),
        Role::Accounts(command) => roles::accounts::run(program, command).await,
        Role::Keys(command) => roles::keys::run(program, command).await,
        Role::Import(Import::Trello(import)) => roles::import::run("trello", import).await,
    }
}

#[expect(clippy::print_stderr, reason = "the final error, also before the log output has started")]
fn fail(why: &str, code: u8) -> ExitCode {
    eprintln!("taskfold: {why}");
    ExitCode::from(code)
}
