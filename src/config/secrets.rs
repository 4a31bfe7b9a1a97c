//! Secrets that are read from files, so that they are neither in a command line, which every user of the machine may
//! see, nor in the environment, which child processes inherit.

use std::path::{Path, PathBuf};

use clap::Args;

/// Flags as they were given.
#[derive(Debug, Args)]
pub(super) struct SecretFiles {
    /// File with the value of --database-url
    #[arg(long, env = "DATABASE_URL_FILE", global = true)]
    database_url_file: Option<PathBuf>,
    /// File with the value of --command-database-url
    #[arg(long, env = "TASKFOLD_COMMAND_DATABASE_URL_FILE", global = true)]
    command_database_url_file: Option<PathBuf>,
    /// File with the value of --query-database-url
    #[arg(long, env = "TASKFOLD_QUERY_DATABASE_URL_FILE", global = true)]
    query_database_url_file: Option<PathBuf>,
    /// File with the value of --feed-database-url
    #[arg(long, env = "TASKFOLD_FEED_DATABASE_URL_FILE", global = true)]
    feed_database_url_file: Option<PathBuf>,
    /// File with the value of --projector-database-url
    #[arg(long, env = "TASKFOLD_PROJECTOR_DATABASE_URL_FILE", global = true)]
    projector_database_url_file: Option<PathBuf>,
    /// File with the value of --nats-url
    #[arg(long, env = "NATS_URL_FILE", global = true)]
    nats_url_file: Option<PathBuf>,
    /// File with the value of --s3-secret-access-key
    #[arg(long, env = "TASKFOLD_S3_SECRET_ACCESS_KEY_FILE", global = true)]
    s3_secret_access_key_file: Option<PathBuf>,
}

/// Values as they were given, or as their files have them.
#[derive(Debug)]
pub(super) struct Secrets {
    pub(super) database_url: Option<String>,
    pub(super) command_database_url: Option<String>,
    pub(super) query_database_url: Option<String>,
    pub(super) feed_database_url: Option<String>,
    pub(super) projector_database_url: Option<String>,
    pub(super) nats_url: Option<String>,
    pub(super) s3_secret_access_key: Option<String>,
}

impl Secrets {
    /// Reads the file of each value that was not given itself.
    pub(super) fn read(given: Self, files: &SecretFiles, note: &mut impl FnMut(&str, &str, &str)) -> Self {
        let mut or_file =
            |flag: &str, given: Option<String>, file: &Option<PathBuf>| or_file(flag, given, file.as_deref(), note);
        Self {
            database_url: or_file("database-url", given.database_url, &files.database_url_file),
            command_database_url: or_file(
                "command-database-url",
                given.command_database_url,
                &files.command_database_url_file,
            ),
            query_database_url: or_file("query-database-url", given.query_database_url, &files.query_database_url_file),
            feed_database_url: or_file("feed-database-url", given.feed_database_url, &files.feed_database_url_file),
            projector_database_url: or_file(
                "projector-database-url",
                given.projector_database_url,
                &files.projector_database_url_file,
            ),
            nats_url: or_file("nats-url", given.nats_url, &files.nats_url_file),
            s3_secret_access_key: or_file(
                "s3-secret-access-key",
                given.s3_secret_access_key,
                &files.s3_secret_access_key_file,
            ),
        }
    }
}

/// Reads the file of a value that was not given itself.
pub(super) fn or_file(
    flag: &str,
    given: Option<String>,
    file: Option<&Path>,
    note: &mut impl FnMut(&str, &str, &str),
) -> Option<String> {
    // Scripts often set a variable to the empty string instead of leaving it unset.
    let given = given.filter(|text| !text.trim().is_empty());
    let Some(file) = file.filter(|file| given.is_none() && !file.as_os_str().is_empty()) else { return given };
    match from_file(file) {
        Ok(secret) => Some(secret),
        Err(error) => {
            note(&format!("{flag}-file"), &file.display().to_string(), &error);
            None
        }
    }
}

/// Reads a secret without the line break at its end. The error is about the file, and never contains its content.
pub(super) fn from_file(file: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("must be a file that can be read ({error})"))?;
    let secret = text.trim();
    if secret.is_empty() { Err("must not be empty".to_owned()) } else { Ok(secret.to_owned()) }
}
