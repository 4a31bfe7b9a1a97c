//! What a person reads in the terminal: that it starts, where everything is, and what to try first.

use std::net::SocketAddr;

use crate::config::Settings;
use crate::program::Site;

/// At once, because the first start of all takes seconds.
pub fn starting(settings: &Settings) {
    let own = match (&settings.database_url, &settings.nats_url) {
        (None, None) => ", with its own PostgreSQL and NATS",
        (None, Some(_)) => ", with its own PostgreSQL",
        (Some(_), None) => ", with its own NATS",
        (Some(_), Some(_)) => "",
    };
    println!("taskfold {} is starting{own} (data in {})", env!("CARGO_PKG_VERSION"), settings.data_dir.display());
}

/// A single role: where it answers, for scripts and people alike.
pub fn listening(role: &str, address: SocketAddr) {
    println!("taskfold {role} is ready on {}", base(address));
}

/// Everything in one process.
pub fn ready(address: SocketAddr, site: &Site) {
    let settings = &site.program.settings;
    // A URL that was given may hold a password, and whoever gave it knows it.
    let or_given = |given: &Option<String>, own: &Option<String>, variable: &str| match given {
        Some(_) => format!("as {variable} says"),
        None => own.clone().unwrap_or_default(),
    };
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

Make an account to begin with:

  curl -i {base}/v1/accounts -H 'Content-Type: application/json' \\
    -d '{{\"username\": \"ada\", \"display_name\": \"Ada\", \"password\": \"correct horse battery\"}}'
",
        data_dir.display(),
        or_given(&settings.database_url, &site.database_url, "DATABASE_URL"),
        or_given(&settings.nats_url, &site.nats_url, "NATS_URL"),
        settings.stream,
    );
}

/// An address that listens on everything cannot be typed into a browser.
fn base(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("http://localhost:{}", address.port())
    } else {
        format!("http://{address}")
    }
}
