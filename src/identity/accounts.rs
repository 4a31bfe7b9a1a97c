//! Accounts for the subjects of an external OIDC issuer, created when they first sign in.

use std::time::Duration;

use anyhow::Context as _;
use moka::future::Cache;
use serde_json::{Map, Value};
use sqlx::PgPool;
use taskfold_command_api::Username;
use taskfold_domain::ids::UserId;
use taskfold_domain::input::line::{is_visible, to_line};
use taskfold_domain::limits::{NAME_CHARS, USERNAME_MAX_CHARS};
use taskfold_event_log::deadline::{REQUEST, within};
use uuid::Uuid;

/// Subjects in the cache.
const MAX_CACHED: u64 = 100_000;
/// Interval at which the database records that the issuer vouches for a subject.
const VOUCHED_FOR: Duration = Duration::from_secs(3600);

/// Accounts of an issuer's subjects. The id is derived from issuer and subject, so that all instances agree on it.
pub(super) struct Accounts {
    pool: PgPool,
    issuer: Uuid,
    /// Subjects for whom the issuer has vouched within the hour, whose account exists.
    vouched: Cache<String, UserId>,
}

impl Accounts {
    pub(super) fn new(pool: PgPool, issuer: &str) -> Self {
        let vouched = Cache::builder().max_capacity(MAX_CACHED).time_to_live(VOUCHED_FOR).build();
        Self { pool, issuer: Uuid::new_v5(&Uuid::NAMESPACE_URL, issuer.as_bytes()), vouched }
    }

    /// Returns the account, and creates it if it does not exist.
    pub(super) async fn of(&self, subject: &str, claims: &Map<String, Value>) -> anyhow::Result<UserId> {
        let opening = async {
            let mut user = Uuid::new_v5(&self.issuer, subject.as_bytes());
            let username = username(claims);
            let display_name = display_name(claims, &username);
            loop {
                let open = sqlx::query!("SELECT taskfold_open_account_v2($1, $2, $3)", user, username, display_name);
                match within(REQUEST, open.execute(&self.pool)).await {
                    // Whoever knows the subject can derive the id, and may have created something under it. It stays
                    // taken, so that all instances agree on the next one too.
                    Err(error) if taskfold_event_log::is_id_taken(&error) => {
                        user = Uuid::new_v5(&user, subject.as_bytes());
                    }
                    opened => {
                        opened.context("opening an account")?;
                        return anyhow::Ok(UserId(user));
                    }
                }
            }
        };
        self.vouched.try_get_with(subject.to_owned(), opening).await.map_err(|error| anyhow::anyhow!("{error:#}"))
    }
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// Username from the claims of the issuer, in the characters that ours may have.
fn username(claims: &Map<String, Value>) -> String {
    let mail = || text(claims, "email").and_then(|mail| mail.split('@').next());
    let raw = text(claims, "preferred_username").or_else(mail).unwrap_or_default();
    // Usernames of some issuers are e-mail addresses.
    let raw = raw.split('@').next().unwrap_or_default().to_lowercase();
    let letters = raw.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' });
    let name: String = letters.take(USERNAME_MAX_CHARS).collect();
    // Neither too short nor reserved.
    Username::try_from(name.trim_matches('-').to_owned()).map_or_else(|_| "member".to_owned(), String::from)
}

fn display_name(claims: &Map<String, Value>, username: &str) -> String {
    let name = text(claims, "name").or_else(|| text(claims, "preferred_username")).unwrap_or(username);
    let name: String = to_line(name).chars().take(NAME_CHARS).collect();
    if is_visible(&name) { name } else { username.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn any_name_from_an_issuer_becomes_a_valid_username() {
        let cases = [
            (json!({"preferred_username": "ada-lark"}), "ada-lark"),
            (json!({"preferred_username": "Ada.Lark@example.com"}), "ada-lark"),
            (json!({"email": "ada+work@example.com"}), "ada-work"),
            (json!({"preferred_username": " ", "email": "bo@example.com"}), "bo"),
            (json!({"preferred_username": "名前"}), "member"),
            (json!({"preferred_username": "x"}), "member"),
            (json!({"preferred_username": 7}), "member"),
            (json!({}), "member"),
        ];
        for (claims, expected) in cases {
            assert_eq!(username(claims.as_object().expect("an object")), expected, "{claims}");
        }
        let long = json!({"preferred_username": "a".repeat(100), "name": "\0"});
        let long = long.as_object().expect("an object");
        assert_eq!(username(long).len(), 39);
        assert_eq!(display_name(long, "aa").chars().count(), 2);
    }
}
