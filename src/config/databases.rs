//! Settings of database URLs.

use clap::Args;

use super::secrets::Secrets;
use crate::databases::RoleUrls;

/// Flags as they were given.
#[derive(Debug, Args)]
pub(super) struct RoleUrlFlags {
    /// Database URL of the command-api [default: the login that `taskfold migrate` creates in the database of
    /// DATABASE_URL]
    #[arg(long, env = "TASKFOLD_COMMAND_DATABASE_URL", hide_env_values = true, global = true)]
    command_database_url: Option<String>,
    /// Database URL of the query-api's reads, with the same default
    #[arg(long, env = "TASKFOLD_QUERY_DATABASE_URL", hide_env_values = true, global = true)]
    query_database_url: Option<String>,
    /// Database URL of the query-api's live feed, with the same default
    #[arg(long, env = "TASKFOLD_FEED_DATABASE_URL", hide_env_values = true, global = true)]
    feed_database_url: Option<String>,
    /// Database URL of the projector, rebuilds and checks, with the same default
    #[arg(long, env = "TASKFOLD_PROJECTOR_DATABASE_URL", hide_env_values = true, global = true)]
    projector_database_url: Option<String>,
}

impl RoleUrlFlags {
    /// Values as they were given, of command-api, query-api, live feed and projector.
    pub(super) fn given(&self) -> [Option<String>; 4] {
        [&self.command_database_url, &self.query_database_url, &self.feed_database_url, &self.projector_database_url]
            .map(Clone::clone)
    }
}

/// Checks the URLs, given or from files.
pub(super) fn role_urls(secrets: &Secrets, note: &mut impl FnMut(&str, &str, &str)) -> RoleUrls {
    let mut checked = |flag: &str, url: &Option<String>| {
        let url = url.clone()?;
        check(flag, &url, note);
        Some(url)
    };
    RoleUrls {
        command: checked("command-database-url", &secrets.command_database_url),
        query: checked("query-database-url", &secrets.query_database_url),
        feed: checked("feed-database-url", &secrets.feed_database_url),
        projector: checked("projector-database-url", &secrets.projector_database_url),
    }
}

/// Notes a URL that is not one of PostgreSQL, without its value, which may contain a password.
pub(super) fn check(flag: &str, url: &str, note: &mut impl FnMut(&str, &str, &str)) {
    if !url.starts_with("postgres") || url.parse::<sqlx::postgres::PgConnectOptions>().is_err() {
        note(flag, "...", "must be a URL such as postgres://user:password@host:5432/database");
    }
}
