//! Output to the terminal: the start, the addresses of everything, and a first request to try.

use std::net::SocketAddr;

use crate::config::Settings;
use crate::program::Environment;

/// Printed at once, because the very first start takes seconds.
pub fn starting(settings: &Settings) {
    let own = match (&settings.database_url, &settings.nats_url) {
        (None, None) => ", with its own PostgreSQL and NATS",
        (None, Some(_)) => ", with its own PostgreSQL",
        (Some(_), None) => ", with its own NATS",
        (Some(_), Some(_)) => "",
    };
    println!("taskfold {} is starting{own} (data in {})", env!("CARGO_PKG_VERSION"), settings.data_dir.display());
}

/// Printed when a single role is ready, with its address.
pub fn listening(role: &str, address: SocketAddr) {
    println!("taskfold {role} is ready on {}", base(address));
}

/// Printed when the process with all roles is ready.
pub fn ready(address: SocketAddr, environment: &Environment) {
    let settings = &environment.program.settings;
    // A URL that was set is not printed, because it may contain a password. That of followers is for others.
    let or_variable = |given: &Option<String>, own: &Option<String>, variable: &str| match given {
        Some(_) => format!("set by {variable}"),
        None => own.clone().unwrap_or_default(),
    };
    let prefix = taskfold_projector::stream::prefix(&settings.stream);
    let follow = environment.follower_nats_url.as_ref().map(|url| {
        format!("\nFollow all changes on NATS, with the user that may only read them:\n\n  nats sub --server {url} '{prefix}.events.>'\n")
    });
    let base = base(address);
    let data_dir = std::path::absolute(&settings.data_dir).unwrap_or_else(|_| settings.data_dir.clone());
    println!(
        "\
Ready.

  API         {base}
  Docs        {base}/docs
  Data        {}
  PostgreSQL  {}
  NATS        {} (stream {})

Create an account to start with:

  curl -i {base}/v1/accounts -H 'Content-Type: application/json' \\
    -d '{{\"username\": \"ada\", \"display_name\": \"Ada\", \"password\": \"correct horse battery\"}}'
{}",
        data_dir.display(),
        or_variable(&settings.database_url, &environment.database_url, "DATABASE_URL"),
        or_variable(&settings.nats_url, &environment.follower_nats_url, "NATS_URL"),
        settings.stream,
        follow.unwrap_or_default(),
    );
}

/// URL of an address. An unspecified one, which no browser can open, becomes `localhost`.
fn base(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("http://localhost:{}", address.port())
    } else {
        format!("http://{address}")
    }
}
