//! Settings of NATS: its URL, and how the program signs in.

use std::path::PathBuf;

use anyhow::Context as _;
use async_nats::{ConnectOptions, ServerAddr};
use clap::Args;
use percent_encoding::percent_decode_str;

use super::secrets;

/// First line of a certificate in PEM.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// Flags as they were given.
#[derive(Debug, Args)]
pub(super) struct NatsFlags {
    /// User on NATS, with --nats-password
    #[arg(long, env = "TASKFOLD_NATS_USER", global = true)]
    nats_user: Option<String>,
    /// Password of the user on NATS
    #[arg(long, env = "TASKFOLD_NATS_PASSWORD", hide_env_values = true, global = true)]
    nats_password: Option<String>,
    /// File with the password of the user on NATS
    #[arg(long, env = "TASKFOLD_NATS_PASSWORD_FILE", global = true)]
    nats_password_file: Option<PathBuf>,
    /// Token for NATS
    #[arg(long, env = "TASKFOLD_NATS_TOKEN", hide_env_values = true, global = true)]
    nats_token: Option<String>,
    /// File with the token for NATS
    #[arg(long, env = "TASKFOLD_NATS_TOKEN_FILE", global = true)]
    nats_token_file: Option<PathBuf>,
    /// Seed of the NKey with which to sign in to NATS
    #[arg(long, env = "TASKFOLD_NATS_NKEY", hide_env_values = true, global = true)]
    nats_nkey: Option<String>,
    /// File with the seed of the NKey
    #[arg(long, env = "TASKFOLD_NATS_NKEY_FILE", global = true)]
    nats_nkey_file: Option<PathBuf>,
    /// Credentials file (`.creds`) with a user's JWT and its seed
    #[arg(long, env = "TASKFOLD_NATS_CREDS_FILE", global = true)]
    nats_creds_file: Option<PathBuf>,
    /// File with certificates (PEM) of authorities to trust beside those of the system
    #[arg(long, env = "TASKFOLD_NATS_CA_FILE", global = true)]
    nats_ca_file: Option<PathBuf>,
    /// File with the client certificate (PEM) for NATS, with --nats-key-file
    #[arg(long, env = "TASKFOLD_NATS_CERT_FILE", global = true)]
    nats_cert_file: Option<PathBuf>,
    /// File with the private key (PEM) of the client certificate
    #[arg(long, env = "TASKFOLD_NATS_KEY_FILE", global = true)]
    nats_key_file: Option<PathBuf>,
}

/// Checked settings.
#[derive(Clone, Debug, Default)]
pub struct Nats {
    /// Credentials for the servers of a URL without any.
    pub credentials: NatsCredentials,
    ca: Option<PathBuf>,
    /// Client certificate and its key.
    certificate: Option<(PathBuf, PathBuf)>,
}

/// Credentials with which the program signs in.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum NatsCredentials {
    #[default]
    Nothing,
    User {
        name: String,
        password: String,
    },
    Token(String),
    /// Seed of an NKey.
    Nkey(String),
    /// Content of a credentials file.
    File(String),
}

/// Without secrets.
impl std::fmt::Debug for NatsCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::User { .. } => "User",
            Self::Token(_) => "Token",
            Self::Nkey(_) => "Nkey",
            Self::File(_) => "File",
        })
    }
}

impl NatsFlags {
    /// Checks the settings of the servers of this URL.
    pub(super) fn check(&self, url: Option<&str>, note: &mut impl FnMut(&str, &str, &str)) -> Nats {
        let mut secret = |flag: &str, given: &Option<String>, file: &Option<PathBuf>| {
            secrets::or_file(flag, given.clone(), file.as_deref(), note)
        };
        let password = secret("nats-password", &self.nats_password, &self.nats_password_file);
        let token = secret("nats-token", &self.nats_token, &self.nats_token_file);
        let nkey = secret("nats-nkey", &self.nats_nkey, &self.nats_nkey_file);
        let creds = secret("nats-creds", &None, &self.nats_creds_file);
        if nkey.as_ref().is_some_and(|seed| nkeys::KeyPair::from_seed(seed).is_err()) {
            note("nats-nkey", "...", "must be the seed of an NKey, which begins with SU");
        }
        if creds.as_ref().is_some_and(|creds| ConnectOptions::new().credentials(creds).is_err()) {
            note("nats-creds-file", "...", "must contain a user's JWT and its seed");
        }
        let user = match (self.nats_user.clone().filter(|user| !user.trim().is_empty()), password) {
            (Some(name), Some(password)) => Some(NatsCredentials::User { name, password }),
            (None, None) => None,
            (Some(_), None) => {
                note("nats-user", "...", "must be set together with --nats-password or --nats-password-file");
                None
            }
            (None, Some(_)) => {
                note("nats-password", "...", "must be set together with --nats-user");
                None
            }
        };
        let in_url = url.map(|url| credentials_of(url).map_err(|error| error.to_string()));
        let in_url = in_url.transpose().unwrap_or_else(|error| {
            note("nats-url", "...", &error);
            None
        });
        let all = [
            user,
            token.map(NatsCredentials::Token),
            nkey.map(NatsCredentials::Nkey),
            creds.map(NatsCredentials::File),
            in_url.filter(|credentials| *credentials != NatsCredentials::Nothing),
        ];
        let mut all = all.into_iter().flatten();
        let credentials = all.next().unwrap_or_default();
        if all.next().is_some() {
            let error = "sign in to NATS in one way: with a user, a token, an NKey, a credentials file, or the URL";
            note("nats-user", "...", error);
        }
        let mut certificates = |flag: &str, file: Option<&PathBuf>, begins: &str| {
            let file = file.filter(|file| !file.as_os_str().is_empty())?;
            match std::fs::read_to_string(file) {
                Ok(text) if text.contains(begins) => {}
                Ok(_) => note(flag, &file.display().to_string(), "must be a file in PEM"),
                Err(error) => note(flag, &file.display().to_string(), &error.to_string()),
            }
            Some(file.clone())
        };
        let ca = certificates("nats-ca-file", self.nats_ca_file.as_ref(), CERTIFICATE);
        let certificate = certificates("nats-cert-file", self.nats_cert_file.as_ref(), CERTIFICATE);
        let key = certificates("nats-key-file", self.nats_key_file.as_ref(), "PRIVATE KEY-----");
        if certificate.is_some() != key.is_some() {
            note("nats-cert-file", "...", "must be set together with --nats-key-file");
        }
        let nats = Nats { credentials, ca, certificate: certificate.zip(key) };
        let is_set = nats.credentials != NatsCredentials::Nothing || nats.ca.is_some() || nats.certificate.is_some();
        if url.is_none() && is_set {
            note("nats-url", "", "must be set, because the other settings of NATS are for a server of your own");
        }
        nats
    }
}

impl Nats {
    /// Options of connections to the servers of this URL.
    pub fn options(&self, url: &str) -> anyhow::Result<ConnectOptions> {
        let mut options = ConnectOptions::new();
        if let Some(ca) = &self.ca {
            options = options.add_root_certificates(ca.clone());
        }
        if let Some((certificate, key)) = &self.certificate {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        let in_url = credentials_of(url)?;
        Ok(match if in_url == NatsCredentials::Nothing { self.credentials.clone() } else { in_url } {
            NatsCredentials::Nothing => options,
            NatsCredentials::User { name, password } => options.user_and_password(name, password),
            NatsCredentials::Token(token) => options.token(token),
            NatsCredentials::Nkey(seed) => options.nkey(seed),
            NatsCredentials::File(creds) => options.credentials(&creds).context("reading the credentials of NATS")?,
        })
    }
}

/// Parses a list of servers.
pub fn servers(url: &str) -> anyhow::Result<Vec<ServerAddr>> {
    let servers = url.split(',').map(|one| one.trim().parse()).collect::<Result<_, _>>();
    // The cause may quote the URL with its password.
    servers
        .map_err(|_| anyhow::anyhow!("must be a URL such as nats://host:4222, or several of them separated by commas"))
}

/// Returns the credentials in the URL of the servers, which the client reads there and does not send: a user and a
/// password, or a token.
fn credentials_of(url: &str) -> anyhow::Result<NatsCredentials> {
    let mut all = Vec::new();
    for server in servers(url)? {
        let decoded = |text: Option<&str>| text.map(|text| percent_decode_str(text).decode_utf8_lossy().into_owned());
        all.push(match (decoded(server.username()), decoded(server.password())) {
            (Some(name), Some(password)) => NatsCredentials::User { name, password },
            (Some(token), None) => NatsCredentials::Token(token),
            (None, Some(_)) => anyhow::bail!("has a password without a user"),
            (None, None) => NatsCredentials::Nothing,
        });
    }
    all.retain(|credentials| *credentials != NatsCredentials::Nothing);
    all.dedup();
    anyhow::ensure!(all.len() < 2, "has different credentials for its servers: all are given the same");
    Ok(all.pop().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_a_url_are_decoded_and_of_one_kind() -> anyhow::Result<()> {
        let user =
            |name: &str, password: &str| NatsCredentials::User { name: name.to_owned(), password: password.to_owned() };
        for (url, expected) in [
            ("nats://host", NatsCredentials::Nothing),
            ("nats://ada:p%40ss%2Fw%C3%BCrd@host", user("ada", "p@ss/würd")),
            ("nats://s3cret@host:4222", NatsCredentials::Token("s3cret".to_owned())),
            ("nats://ada:x@one:1,two:2, nats://ada:x@three:3", user("ada", "x")),
        ] {
            assert_eq!(credentials_of(url)?, expected, "{url}");
        }
        for url in ["nats://ada:x@one,nats://bo:x@two", "nats://ada:x@one,nats://token@two", "nats://:x@one"] {
            assert!(credentials_of(url).is_err(), "{url}");
        }
        Ok(())
    }
}
