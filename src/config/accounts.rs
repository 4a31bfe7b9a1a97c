//! Settings of accounts, and the subcommands that manage them.

use clap::{Args, Subcommand, ValueEnum};
use taskfold_command_api::SignUp;
use taskfold_web::client::TrustedProxies;

/// Upper bound of the number of proxies.
const MAX_PROXIES: usize = 10;

/// Flags as they were given.
#[derive(Debug, Args)]
pub(super) struct AccountFlags {
    /// Who may create accounts: `open`, `invited` (with the token of an invitation) or `closed`
    #[arg(long, env = "TASKFOLD_SIGN_UP", default_value = "open", global = true)]
    sign_up: String,
    /// Number of proxies in front of the program whose `X-Forwarded-For` is believed
    #[arg(long, env = "TASKFOLD_TRUSTED_PROXIES", default_value = "0", global = true)]
    trusted_proxies: String,
}

/// Checked settings.
#[derive(Debug, Clone, Copy)]
pub struct Accounts {
    pub sign_up: SignUp,
    pub trusted_proxies: TrustedProxies,
}

#[derive(Clone, Copy, ValueEnum)]
enum SignUpFlag {
    Open,
    Invited,
    Closed,
}

impl AccountFlags {
    /// Checks the flags. `note` receives each mistake: the flag, its value, and the error.
    pub(super) fn check(&self, note: &mut impl FnMut(&str, &str, &str)) -> Option<Accounts> {
        let sign_up = SignUpFlag::from_str(&self.sign_up, true).ok().map(|flag| match flag {
            SignUpFlag::Open => SignUp::Open,
            SignUpFlag::Invited => SignUp::Invited,
            SignUpFlag::Closed => SignUp::Closed,
        });
        if sign_up.is_none() {
            note("sign-up", &self.sign_up, "must be `open`, `invited` or `closed`");
        }
        let proxies = self.trusted_proxies.parse().ok().filter(|proxies| *proxies <= MAX_PROXIES);
        if proxies.is_none() {
            note("trusted-proxies", &self.trusted_proxies, &format!("must be a number from 0 to {MAX_PROXIES}"));
        }
        Some(Accounts { sign_up: sign_up?, trusted_proxies: TrustedProxies(proxies?) })
    }
}

/// Subcommand of `taskfold accounts`. `ACCOUNT` is a username or the id of an account.
#[derive(Debug, Clone, Subcommand)]
pub enum AccountsCommand {
    /// List all accounts: id, username, state and display name, separated by tabs
    List,
    /// Create an account, with the password in TASKFOLD_PASSWORD or on the standard input
    Create {
        username: String,
        /// Name that others see [default: the username]
        #[arg(long)]
        display_name: Option<String>,
    },
    /// Disable an account: its sessions, tokens, links and streams end within seconds
    Disable { account: String },
    /// Enable a disabled account; its sessions have ended, its API tokens and calendar links work again
    Enable { account: String },
    /// Set the password of an account, in TASKFOLD_PASSWORD or on the standard input, and end its sessions
    SetPassword { account: String },
    /// Erase an account permanently: it keeps its id, and loses its names, password, sessions, tokens and links
    Erase {
        account: String,
        /// Erase without asking
        #[arg(long)]
        yes: bool,
    },
}

/// Subcommand of `taskfold keys`.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum KeysCommand {
    /// Create a new key for access tokens. Nobody is signed out: older keys verify until their tokens have expired
    Rotate {
        /// Remove the older keys at once, because one of them has leaked: clients must refresh their sessions
        #[arg(long)]
        revoke_old: bool,
    },
}
