use clap::Args;

use crate::databases::PartUrls;

/// As they are written.
#[derive(Debug, Args)]
pub(super) struct PartFlags {
    /// As whom the command-api signs in; by default the login that `taskfold migrate` makes in the database of DATABASE_URL
    #[arg(long, env = "TASKFOLD_COMMAND_DATABASE_URL", hide_env_values = true, global = true)]
    command_database_url: Option<String>,
    /// The same of the query-api's reads
    #[arg(long, env = "TASKFOLD_QUERY_DATABASE_URL", hide_env_values = true, global = true)]
    query_database_url: Option<String>,
    /// The same of the query-api's live feed
    #[arg(long, env = "TASKFOLD_FEED_DATABASE_URL", hide_env_values = true, global = true)]
    feed_database_url: Option<String>,
    /// The same of the projector, rebuilds and checks
    #[arg(long, env = "TASKFOLD_PROJECTOR_DATABASE_URL", hide_env_values = true, global = true)]
    projector_database_url: Option<String>,
}

impl PartFlags {
    pub(super) fn check(&self, note: &mut impl FnMut(&str, &str, &str)) -> PartUrls {
        let mut checked = |flag: &str, url: &Option<String>| {
            let url = url.clone().filter(|text| !text.trim().is_empty())?;
            check(flag, &url, note);
            Some(url)
        };
        PartUrls {
            command: checked("command-database-url", &self.command_database_url),
            query: checked("query-database-url", &self.query_database_url),
            feed: checked("feed-database-url", &self.feed_database_url),
            projector: checked("projector-database-url", &self.projector_database_url),
        }
    }
}

/// Notes a URL that is none of PostgreSQL; never the value, which may hold a password.
pub(super) fn check(flag: &str, url: &str, note: &mut impl FnMut(&str, &str, &str)) {
    if !url.starts_with("postgres") || url.parse::<sqlx::postgres::PgConnectOptions>().is_err() {
        note(flag, "...", "not a URL such as postgres://user:password@host:5432/database");
    }
}
