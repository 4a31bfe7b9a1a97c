//! What the program is told: flags and environment, checked as a whole so that every mistake is named at once.

/// Where the bytes of attachments go, and how many one may have.
pub mod attachments;
/// Database URLs of single parts.
mod databases;
/// How much of the program its clients may take.
pub mod limits;

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use reqwest::Url;
use tracing_subscriber::EnvFilter;

use crate::databases::PartUrls;

/// An event-sourced backend for collaborative task management.
#[derive(Debug, Parser)]
#[command(name = "taskfold", version, about)]
pub struct Cli {
    #[command(subcommand)]
    pub role: Option<Role>,
    #[command(flatten)]
    flags: Flags,
}

/// What this process is to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Role {
    /// Everything in one process on one port (this is the default)
    All,
    /// Take commands: HTTP in, events appended
    CommandApi,
    /// Make events known: read tables and the NATS stream
    Projector,
    /// Answer reads: REST, history, live streams
    QueryApi,
    /// Bring the database's schema up to date
    Migrate(Migrate),
    /// Build the read tables again from the event log, beside those that are read, say how they differ, and read the new ones
    Rebuild(Rebuild),
    /// Prove that log, stream and read tables agree (exit code 1 if they do not)
    Verify,
    /// Project dead letters again: events that could not be projected
    Retry,
    /// Go on with a log that was restored to an earlier state: give it another id, and publish it anew
    Adopt,
    /// Write the API documents
    Openapi {
        /// Only say whether the files are current (exit code 1 if they are not)
        #[arg(long)]
        check: bool,
        #[arg(default_value = "openapi")]
        dir: PathBuf,
    },
    /// Import boards of other programs through a running server
    #[command(subcommand)]
    Import(Import),
}

#[derive(Debug, Clone, Args)]
pub struct Migrate {
    /// Finish an upgrade: from now on the log may be written in ways that the previous release cannot read. Only once none of its processes
    /// is left
    #[arg(long)]
    pub finish: bool,
}

#[derive(Debug, Clone, Args)]
pub struct Rebuild {
    #[arg(default_value = "read-tables")]
    pub projection: Projection,
    /// Make what the append keeps beside the log again, and not the read tables: the places, links and reminders of tasks, and the commands
    #[arg(long, conflicts_with_all = ["dry_run", "back", "forget"])]
    pub write_side: bool,
    /// Only say how they differ
    #[arg(long, conflicts_with_all = ["back", "forget"])]
    pub dry_run: bool,
    /// Read the tables again that were read before the last rebuild, with all that happened since
    #[arg(long, conflicts_with = "forget")]
    pub back: bool,
    /// Give the room of those free
    #[arg(long)]
    pub forget: bool,
}

/// What is made from the log, and can be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Projection {
    /// The tables that the query-api reads: one checkpoint, so one piece
    ReadTables,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Import {
    /// A board exported from Trello as JSON
    Trello(ImportFile),
}

#[derive(Debug, Clone, Args)]
pub struct ImportFile {
    pub file: PathBuf,
    #[arg(long, env = "TASKFOLD_SERVER", default_value = "http://127.0.0.1:8080")]
    pub server: String,
    /// An API token that may write, or an access token as POST /v1/sessions gives it
    #[arg(long, env = "TASKFOLD_TOKEN", hide_env_values = true)]
    pub token: String,
    /// Into this project; without it, a project of the board's own
    #[arg(long)]
    pub project_id: Option<uuid::Uuid>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// As they are written. Texts, because clap would stop at the first that it cannot read.
#[derive(Debug, Args)]
struct Flags {
    /// Address and port to listen on
    #[arg(long, env = "TASKFOLD_LISTEN", default_value = "127.0.0.1:8080", global = true)]
    listen: String,
    /// Data of the embedded servers and attachments
    #[arg(long, env = "TASKFOLD_DATA_DIR", default_value = ".taskfold", global = true)]
    data_dir: PathBuf,
    /// A PostgreSQL to use instead of the embedded one, as the owner of its tables
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, global = true)]
    database_url: Option<String>,
    #[command(flatten)]
    parts: databases::PartFlags,
    /// A NATS to use instead of the embedded one; several servers with commas
    #[arg(long, env = "NATS_URL", hide_env_values = true, global = true)]
    nats_url: Option<String>,
    /// Name of the JetStream stream; its subjects begin with the same in lower case
    #[arg(long, env = "TASKFOLD_STREAM", default_value = "TASKFOLD", global = true)]
    stream: String,
    /// How many servers of a NATS cluster keep the stream: 1, 3 or 5, when it is made. One that is there keeps its own number
    #[arg(long, env = "TASKFOLD_STREAM_REPLICAS", default_value = "1", global = true)]
    stream_replicas: String,
    /// Database connections of each service, from 4 to 1000: some are kept for listening, appending and projecting
    #[arg(long, env = "TASKFOLD_POOL_SIZE", default_value = "16", global = true)]
    pool_size: String,
    /// What to log, such as `info,taskfold_projector=debug`
    #[arg(long, env = "TASKFOLD_LOG", default_value = "info,async_nats=warn,sqlx=warn", global = true)]
    log: String,
    /// An outside OIDC issuer whose tokens are taken too, such as https://id.example.com/realms/work
    #[arg(long, env = "TASKFOLD_OIDC_ISSUER", global = true)]
    oidc_issuer: Option<String>,
    /// Which `aud` its tokens must have
    #[arg(long, env = "TASKFOLD_OIDC_AUDIENCE", global = true)]
    oidc_audience: Option<String>,
    /// Where its keys are; without it, where its discovery document says
    #[arg(long, env = "TASKFOLD_OIDC_JWKS_URL", global = true)]
    oidc_jwks_url: Option<String>,
    /// How to log
    #[arg(long, env = "TASKFOLD_LOG_FORMAT", default_value = "text", global = true)]
    log_format: String,
    #[command(flatten)]
    attachments: attachments::AttachmentFlags,
    #[command(flatten)]
    limits: limits::LimitFlags,
}

/// Settings that have been checked.
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    /// The owner's.
    pub database_url: Option<String>,
    pub part_urls: PartUrls,
    pub nats_url: Option<String>,
    pub stream: String,
    pub stream_replicas: usize,
    pub pool_size: u32,
    pub log: String,
    pub log_format: LogFormat,
    pub oidc: Option<Oidc>,
    pub attachments: attachments::Attachments,
    pub limits: limits::Limits,
}

/// An outside issuer of tokens.
#[derive(Debug, Clone)]
pub struct Oidc {
    /// As its tokens say it in `iss`.
    pub issuer: String,
    pub audience: String,
    pub keys: KeysAt,
}

/// Where an issuer's public keys are.
#[derive(Debug, Clone)]
pub enum KeysAt {
    Jwks(Url),
    /// Where the discovery document there says.
    Discovery(Url),
}

impl Cli {
    /// All that is wrong, one line each.
    pub fn settings(&self) -> Result<Settings, Vec<String>> {
        let flags = &self.flags;
        let mut mistakes = Vec::new();
        let mut note = |flag: &str, value: &str, wrong: &str| mistakes.push(format!("--{flag} {value:?}: {wrong}"));

        let listen = flags.listen.to_socket_addrs().ok().and_then(|mut found| found.next());
        if listen.is_none() {
            note("listen", &flags.listen, "not an address and a port, such as 127.0.0.1:8080");
        }
        // A variable that is set to nothing is what scripts make of one that is not set.
        let given = |value: &Option<String>| value.clone().filter(|text| !text.trim().is_empty());
        let database_url = given(&flags.database_url);
        if let Some(url) = &database_url {
            databases::check("database-url", url, &mut note);
        }
        let part_urls = flags.parts.check(&mut note);
        let nats_url = given(&flags.nats_url);
        if let Some(url) = &nats_url
            && url.split(',').any(|one| one.trim().parse::<async_nats::ServerAddr>().is_err())
        {
            note("nats-url", "...", "not a URL such as nats://host:4222, or several of them with commas");
        }
        if !is_token(&flags.stream) {
            note("stream", &flags.stream, "a stream's name has letters, digits, `-` and `_` only");
        }
        let stream_replicas = flags.stream_replicas.parse().ok().filter(|replicas| [1, 3, 5].contains(replicas));
        if stream_replicas.is_none() {
            note("stream-replicas", &flags.stream_replicas, "1, 3 or 5");
        }
        let pool_size = flags.pool_size.parse().ok().filter(|size| (4..=1000).contains(size));
        if pool_size.is_none() {
            note("pool-size", &flags.pool_size, "a number from 4 to 1000");
        }
        if let Err(error) = EnvFilter::try_new(&flags.log) {
            note("log", &flags.log, &error.to_string());
        }
        let log_format = LogFormat::from_str(&flags.log_format, true).ok();
        if log_format.is_none() {
            note("log-format", &flags.log_format, "`text` or `json`");
        }
        let oidc = oidc(given(&flags.oidc_issuer), given(&flags.oidc_audience), given(&flags.oidc_jwks_url), &mut note);
        let attachments = flags.attachments.check(&flags.data_dir, &mut note);
        let limits = flags.limits.check(&mut note);
        match (listen, pool_size, stream_replicas, limits, log_format, attachments) {
            (
                Some(listen),
                Some(pool_size),
                Some(stream_replicas),
                Some(limits),
                Some(log_format),
                Some(attachments),
            ) if mistakes.is_empty() => Ok(Settings {
                listen,
                data_dir: flags.data_dir.clone(),
                database_url,
                part_urls,
                nats_url,
                stream: flags.stream.clone(),
                stream_replicas,
                pool_size,
                log: flags.log.clone(),
                log_format,
                oidc,
                attachments,
                limits,
            }),
            _ => Err(mistakes),
        }
    }
}

/// The issuer, if all about it is right; mistakes are noted.
fn oidc(
    issuer: Option<String>,
    audience: Option<String>,
    jwks_url: Option<String>,
    note: &mut impl FnMut(&str, &str, &str),
) -> Option<Oidc> {
    let Some(issuer) = issuer else {
        for (flag, value) in [("oidc-audience", audience), ("oidc-jwks-url", jwks_url)] {
            if let Some(value) = value {
                note(flag, &value, "of which issuer? Give --oidc-issuer too");
            }
        }
        return None;
    };
    // OpenID Connect Discovery, 4: the well-known path is appended to the issuer.
    let discovery = web_url(&format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/')))
        .filter(|_| web_url(&issuer).is_some_and(|url| url.query().is_none() && url.fragment().is_none()));
    if discovery.is_none() {
        note("oidc-issuer", &issuer, "not a URL such as https://id.example.com");
    }
    if audience.is_none() {
        note("oidc-audience", "", "which `aud` must the issuer's tokens have?");
    }
    let keys = match jwks_url {
        None => discovery.map(KeysAt::Discovery),
        Some(text) => {
            let url = web_url(&text);
            if url.is_none() {
                note("oidc-jwks-url", &text, "not a URL such as https://id.example.com/keys");
            }
            url.map(KeysAt::Jwks)
        }
    };
    Some(Oidc { issuer, audience: audience?, keys: keys? })
}

fn web_url(text: &str) -> Option<Url> {
    text.parse::<Url>().ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// What NATS takes in a stream's name and in one word of a subject, without the characters that mean something there.
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
    fn every_mistake_is_named_at_once_and_no_password_is_repeated() -> anyhow::Result<()> {
        let cli = Cli::try_parse_from([
            "taskfold",
            "projector",
            "--listen=nowhere",
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
        let mistakes = cli.settings().expect_err("ten of them are wrong");
        assert_eq!(mistakes.len(), 10, "{mistakes:?}");
        assert!(!mistakes.concat().contains("hunter2"));
        Ok(())
    }

    #[test]
    fn an_outside_issuer_is_given_wholly_or_not_at_all() -> anyhow::Result<()> {
        let settings = |flags: &[&str]| Cli::try_parse_from(["taskfold"].iter().chain(flags)).map(|cli| cli.settings());
        let issuer = "--oidc-issuer=https://id.example.com/work/";
        let oidc = settings(&[issuer, "--oidc-audience=taskfold"])?.map_err(|e| anyhow::anyhow!("{e:?}"))?.oidc;
        let Some(Oidc { keys: KeysAt::Discovery(url), issuer: said, .. }) = oidc else { anyhow::bail!("{oidc:?}") };
        assert_eq!(url.as_str(), "https://id.example.com/work/.well-known/openid-configuration");
        assert_eq!(said, "https://id.example.com/work/");
        for (flags, wrong) in [
            (vec![issuer], 1),
            (vec!["--oidc-audience=x"], 1),
            (vec!["--oidc-issuer=nowhere", "--oidc-jwks-url=ftp://x/y"], 3),
            (vec!["--oidc-issuer=https://x/?a=b", "--oidc-audience=x"], 1),
        ] {
            assert_eq!(settings(&flags)?.expect_err("something is wrong").len(), wrong, "{flags:?}");
        }
        Ok(())
    }
}
