//! Settings: flags and environment variables, checked as a whole so that all mistakes are reported at once.

/// Settings of accounts, and the subcommands that manage them.
pub mod accounts;
/// Settings of attachments.
pub mod attachments;
/// Settings of database URLs.
mod databases;
/// Settings of limits.
pub mod limits;
/// Settings of NATS.
pub mod nats;
/// Settings of an external issuer of tokens.
mod oidc;
/// Secrets that are read from files.
mod secrets;

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::databases::RoleUrls;

pub use oidc::{KeysAt, Oidc};

use secrets::{SecretFiles, Secrets};

/// An event-sourced backend for collaborative task management.
#[derive(Debug, Parser)]
#[command(name = "taskfold", version, about)]
pub struct Cli {
    #[command(subcommand)]
    pub role: Option<Role>,
    #[command(flatten)]
    flags: Flags,
}

/// Subcommand.
#[derive(Debug, Clone, Subcommand)]
pub enum Role {
    /// Run all roles in one process on one port (the default)
    All,
    /// Serve commands: accept them over HTTP and append their events
    CommandApi,
    /// Project events into the read tables and publish them on the NATS stream
    Projector,
    /// Serve reads: REST, history and live streams
    QueryApi,
    /// Bring the schema of the database up to date
    Migrate(Migrate),
    /// Rebuild the read tables from the event log: build new ones, report how they differ, and switch to them
    Rebuild(Rebuild),
    /// Verify that log, stream and read tables agree (exit code 1 if they do not)
    Verify,
    /// Retry dead letters: events that could not be projected
    Retry,
    /// Adopt a log that was restored to an earlier state: give it a new id and publish it again
    Adopt,
    /// Write the OpenAPI documents
    Openapi {
        /// Only check whether the files are current (exit code 1 if they are not)
        #[arg(long)]
        check: bool,
        /// Folder of the files
        #[arg(default_value = "openapi")]
        dir: PathBuf,
    },
    /// Import a board of another program through a running server
    #[command(subcommand)]
    Import(Import),
    /// Manage accounts: list, create, disable, enable, set a password, erase
    #[command(subcommand)]
    Accounts(accounts::AccountsCommand),
    /// Manage the keys of access tokens
    #[command(subcommand)]
    Keys(accounts::KeysCommand),
}

/// Flags of `taskfold migrate`.
#[derive(Debug, Clone, Args)]
pub struct Migrate {
    /// Finish an upgrade: allow events that the previous release cannot read. Only after all of its processes have
    /// ended
    #[arg(long)]
    pub finish: bool,
}

/// Flags of `taskfold rebuild`.
#[derive(Debug, Clone, Args)]
pub struct Rebuild {
    /// Projection to rebuild
    #[arg(default_value = "read-tables")]
    pub projection: Projection,
    /// Repair the side tables of the append instead of the read tables: placements, links and reminders of tasks, heads
    /// of aggregates, and commands
    #[arg(long, conflicts_with_all = ["dry_run", "back", "forget"])]
    pub write_side: bool,
    /// Only report how they differ
    #[arg(long, conflicts_with_all = ["back", "forget"])]
    pub dry_run: bool,
    /// Switch back to the tables before the last rebuild, after applying all events since
    #[arg(long, conflicts_with = "forget")]
    pub back: bool,
    /// Drop the tables before the last rebuild and reclaim their space
    #[arg(long)]
    pub forget: bool,
}

/// Tables that are derived from the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Projection {
    /// The tables that the query-api reads, which share one checkpoint
    ReadTables,
}

/// Format of an import.
#[derive(Debug, Clone, Subcommand)]
pub enum Import {
    /// A board exported from Trello as JSON
    Trello(ImportFile),
}

/// Flags of `taskfold import`.
#[derive(Debug, Clone, Args)]
pub struct ImportFile {
    /// File to import
    pub file: PathBuf,
    /// URL of the server
    #[arg(long, env = "TASKFOLD_SERVER", default_value = "http://127.0.0.1:8080")]
    pub server: String,
    /// API token with write access, or an access token of POST /v1/sessions
    #[arg(long, env = "TASKFOLD_TOKEN", hide_env_values = true, required_unless_present = "token_file")]
    token: Option<String>,
    /// File with the value of --token
    #[arg(long, env = "TASKFOLD_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// Project to import into [default: a new project]
    #[arg(long)]
    pub project_id: Option<uuid::Uuid>,
}

impl ImportFile {
    /// The token, given or from its file.
    pub fn token(&self) -> anyhow::Result<String> {
        let given = self.token.as_ref().map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
        match (given, &self.token_file) {
            (Some(token), _) => Ok(token),
            (None, Some(file)) => secrets::from_file(file)
                .map_err(|error| anyhow::anyhow!("--token-file {:?}: {error}", file.display().to_string())),
            (None, None) => anyhow::bail!("--token must not be empty"),
        }
    }
}

/// Format of the log output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// Flags as they were given. All are texts, because clap would stop at the first invalid one.
#[derive(Debug, Args)]
struct Flags {
    /// Address and port to listen on
    #[arg(long, env = "TASKFOLD_LISTEN", default_value = "127.0.0.1:8080", global = true)]
    listen: String,
    /// Address and port for `/metrics` and `/health/ready`, which are then not served on the port of the API [default: the
    /// port of the API]
    #[arg(long, env = "TASKFOLD_ADMIN_LISTEN", global = true)]
    admin_listen: Option<String>,
    /// Folder for the data of the embedded servers and attachments
    #[arg(long, env = "TASKFOLD_DATA_DIR", default_value = ".taskfold", global = true)]
    data_dir: PathBuf,
    /// PostgreSQL to use instead of the embedded one, with the owner of the tables as user
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, global = true)]
    database_url: Option<String>,
    #[command(flatten)]
    role_urls: databases::RoleUrlFlags,
    /// NATS to use instead of the embedded one; several servers separated by commas. `tls://` requires TLS
    #[arg(long, env = "NATS_URL", hide_env_values = true, global = true)]
    nats_url: Option<String>,
    #[command(flatten)]
    nats: nats::NatsFlags,
    /// Name of the JetStream stream; its subjects begin with the name in lower case
    #[arg(long, env = "TASKFOLD_STREAM", default_value = "TASKFOLD", global = true)]
    stream: String,
    /// Number of servers of a NATS cluster that store the stream: 1, 3 or 5. Applies when the stream is created
    #[arg(long, env = "TASKFOLD_STREAM_REPLICAS", default_value = "1", global = true)]
    stream_replicas: String,
    /// Maximum number of database connections of each role, from 4 to 1000, including those for notifications,
    /// appending and projecting
    #[arg(long, env = "TASKFOLD_POOL_SIZE", default_value = "16", global = true)]
    pool_size: String,
    /// Log levels, such as `info,taskfold_projector=debug`
    #[arg(long, env = "TASKFOLD_LOG", default_value = "info,async_nats=warn,sqlx=warn", global = true)]
    log: String,
    /// External OIDC issuer whose tokens are accepted too, such as https://id.example.com/realms/work
    #[arg(long, env = "TASKFOLD_OIDC_ISSUER", global = true)]
    oidc_issuer: Option<String>,
    /// Audience (`aud`) that the tokens of the issuer must have
    #[arg(long, env = "TASKFOLD_OIDC_AUDIENCE", global = true)]
    oidc_audience: Option<String>,
    /// URL of the issuer's keys [default: the one in its discovery document]
    #[arg(long, env = "TASKFOLD_OIDC_JWKS_URL", global = true)]
    oidc_jwks_url: Option<String>,
    /// Format of the log output: `text` or `json`
    #[arg(long, env = "TASKFOLD_LOG_FORMAT", default_value = "text", global = true)]
    log_format: String,
    #[command(flatten)]
    secret_files: SecretFiles,
    #[command(flatten)]
    attachments: attachments::AttachmentFlags,
    #[command(flatten)]
    limits: limits::LimitFlags,
    #[command(flatten)]
    accounts: accounts::AccountFlags,
}

/// Checked settings.
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: SocketAddr,
    /// Address of health and metrics, if they are not on the port of the API.
    pub admin_listen: Option<SocketAddr>,
    pub data_dir: PathBuf,
    /// URL of the owner of the tables.
    pub database_url: Option<String>,
    pub role_urls: RoleUrls,
    pub nats_url: Option<String>,
    pub nats: nats::Nats,
    pub stream: String,
    pub stream_replicas: usize,
    pub pool_size: u32,
    pub log: String,
    pub log_format: LogFormat,
    pub oidc: Option<Oidc>,
    pub attachments: attachments::Attachments,
    pub limits: limits::Limits,
    pub accounts: accounts::Accounts,
}

impl Cli {
    /// Checks all flags. Errors are the mistakes, one line each.
    pub fn settings(&self) -> Result<Settings, Vec<String>> {
        let flags = &self.flags;
        let mut mistakes = Vec::new();
        let mut note = |flag: &str, value: &str, error: &str| mistakes.push(format!("--{flag} {value:?}: {error}"));

        let listen = address("listen", &flags.listen, &mut note);
        // Scripts often set a variable to the empty string instead of leaving it unset.
        let given = |value: &Option<String>| value.clone().filter(|text| !text.trim().is_empty());
        let admin_listen = given(&flags.admin_listen).and_then(|text| address("admin-listen", &text, &mut note));
        let [command_database_url, query_database_url, feed_database_url, projector_database_url] =
            flags.role_urls.given();
        let given_secrets = Secrets {
            database_url: flags.database_url.clone(),
            command_database_url,
            query_database_url,
            feed_database_url,
            projector_database_url,
            nats_url: flags.nats_url.clone(),
            s3_secret_access_key: flags.attachments.s3_secret_access_key.clone(),
        };
        let secrets = Secrets::read(given_secrets, &flags.secret_files, &mut note);
        let role_urls = databases::role_urls(&secrets, &mut note);
        let Secrets { database_url, nats_url, s3_secret_access_key, .. } = secrets;
        if let Some(url) = &database_url {
            databases::check("database-url", url, &mut note);
        }
        let nats = flags.nats.check(nats_url.as_deref(), &mut note);
        if !is_token(&flags.stream) {
            note("stream", &flags.stream, "must consist of ASCII letters, digits, `-` and `_`");
        }
        let stream_replicas = flags.stream_replicas.parse().ok().filter(|replicas| [1, 3, 5].contains(replicas));
        if stream_replicas.is_none() {
            note("stream-replicas", &flags.stream_replicas, "must be 1, 3 or 5");
        }
        let pool_size = flags.pool_size.parse().ok().filter(|size| (4..=1000).contains(size));
        if pool_size.is_none() {
            note("pool-size", &flags.pool_size, "must be a number from 4 to 1000");
        }
        if let Err(error) = EnvFilter::try_new(&flags.log) {
            note("log", &flags.log, &error.to_string());
        }
        let log_format = LogFormat::from_str(&flags.log_format, true).ok();
        if log_format.is_none() {
            note("log-format", &flags.log_format, "must be `text` or `json`");
        }
        let (issuer, audience, jwks_url) =
            (given(&flags.oidc_issuer), given(&flags.oidc_audience), given(&flags.oidc_jwks_url));
        let oidc = oidc::check(issuer, audience, jwks_url, &mut note);
        let attachments = flags.attachments.check(&flags.data_dir, s3_secret_access_key, &mut note);
        let limits = flags.limits.check(attachments.as_ref(), &mut note);
        let accounts = flags.accounts.check(&mut note);
        match (listen, pool_size, stream_replicas, limits, log_format, attachments, accounts) {
            (
                Some(listen),
                Some(pool_size),
                Some(stream_replicas),
                Some(limits),
                Some(log_format),
                Some(attachments),
                Some(accounts),
            ) if mistakes.is_empty() => Ok(Settings {
                listen,
                admin_listen,
                data_dir: flags.data_dir.clone(),
                database_url,
                role_urls,
                nats_url,
                nats,
                stream: flags.stream.clone(),
                stream_replicas,
                pool_size,
                log: flags.log.clone(),
                log_format,
                oidc,
                attachments,
                limits,
                accounts,
            }),
            (Some(_) | None, ..) => Err(mistakes),
        }
    }
}

/// Parses an address with a port, and notes one that is none.
fn address(flag: &str, text: &str, note: &mut impl FnMut(&str, &str, &str)) -> Option<SocketAddr> {
    let address = text.to_socket_addrs().ok().and_then(|mut found| found.next());
    if address.is_none() {
        note(flag, text, "must be an address and a port, such as 127.0.0.1:8080");
    }
    address
}

/// Tells whether NATS accepts the text as the name of a stream and as one token of a subject.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn all_configuration_errors_are_reported_together_without_passwords() -> anyhow::Result<()> {
        let cli = Cli::try_parse_from([
            "taskfold",
            "projector",
            "--listen=nowhere",
            "--admin-listen=9090",
            "--pool-size=many",
            "--stream=a.b",
            "--log-format=xml",
            "--database-url=mysql://ada:hunter2@host/db",
            "--query-database-url=hunter2",
            "--attachments-url=ftp://host/folder",
            "--attachment-bytes=0",
            "--s3-endpoint=minio",
            "--s3-secret-access-key=hunter2",
        ])?;
        let mistakes = cli.settings().expect_err("eleven of them are wrong");
        assert_eq!(mistakes.len(), 11, "{mistakes:?}");
        assert!(!mistakes.concat().contains("hunter2"));
        Ok(())
    }
}
