//! Management of accounts by operators, as the owner of the tables.

use anyhow::{Context as _, bail, ensure};
use chrono::{DateTime, Utc};
use futures::TryStreamExt as _;
use sqlx::PgPool;
use taskfold_command_api::{NewPassword, Username};
use taskfold_domain::input::Name;
use taskfold_event_log::Clock;
use uuid::Uuid;

/// An account, as operators see it.
pub struct Account {
    pub user_id: Uuid,
    pub username: Option<String>,
    pub display_name: Option<String>,
    disabled_at: Option<DateTime<Utc>>,
    erased_at: Option<DateTime<Utc>>,
}

impl Account {
    pub fn state(&self) -> &'static str {
        match (self.erased_at, self.disabled_at) {
            (Some(_), _) => "erased",
            (None, Some(_)) => "disabled",
            (None, None) => "active",
        }
    }
}

/// Passes each account to `show`, oldest first.
pub async fn list(owner: &PgPool, mut show: impl FnMut(Account) -> std::io::Result<()>) -> anyhow::Result<()> {
    let mut accounts = sqlx::query_as!(
        Account,
        r#"
        SELECT user_id, username, display_name, disabled_at, erased_at
        FROM accounts ORDER BY created_at, user_id
        "#,
    )
    .fetch(owner);
    while let Some(account) = accounts.try_next().await? {
        show(account)?;
    }
    Ok(())
}

/// The account with this username or id.
pub async fn find(owner: &PgPool, named: &str) -> anyhow::Result<Account> {
    let found = sqlx::query_as!(
        Account,
        r#"
        SELECT user_id, username, display_name, disabled_at, erased_at
        FROM accounts WHERE CASE WHEN $2::uuid IS NULL THEN username = $1 ELSE user_id = $2 END
        "#,
        named,
        Uuid::try_parse(named).ok(),
    )
    .fetch_optional(owner)
    .await?;
    found.with_context(|| format!("no account has the username or id {named:?}"))
}

/// Creates an account with a password. The same rules hold as for people who sign up.
pub async fn create(
    owner: &PgPool,
    clock: &Clock,
    (username, display_name): (String, Option<String>),
    password: String,
) -> anyhow::Result<Uuid> {
    let display_name = Name::try_from(display_name.unwrap_or_else(|| username.clone())).context("the display name")?;
    let username = Username::try_from(username).map_err(|rule| anyhow::anyhow!("the username {rule}"))?;
    let hash = hashed(password, &[username.as_str(), display_name.as_str()])?;
    let user_id = clock.new_id();
    let inserted = sqlx::query!(
        r#"
        INSERT INTO accounts (user_id, username, display_name, password_hash, created_at)
        VALUES ($1, $2, $3, $4, now())
        ON CONFLICT ON CONSTRAINT accounts_username_taken DO NOTHING
        "#,
        user_id,
        username.as_str(),
        display_name.as_str(),
        hash,
    )
    .execute(owner)
    .await?;
    ensure!(inserted.rows_affected() == 1, "the username is already in use");
    Ok(user_id)
}

/// Disables an account, and ends its sessions. Everything else that was made with it is refused while it is disabled.
pub async fn disable(owner: &PgPool, account: &Account) -> anyhow::Result<()> {
    let mut tx = owner.begin().await?;
    sqlx::query!(
        r#"
        UPDATE accounts SET disabled_at = coalesce(disabled_at, now()), status_changed_at = now() WHERE user_id = $1
        "#,
        account.user_id,
    )
    .execute(&mut *tx)
    .await?;
    end_sessions(&mut tx, account.user_id).await?;
    Ok(tx.commit().await?)
}

/// Enables a disabled account.
pub async fn enable(owner: &PgPool, account: &Account) -> anyhow::Result<()> {
    let enabled = sqlx::query!(
        r#"
        UPDATE accounts SET disabled_at = NULL, status_changed_at = now()
        WHERE user_id = $1 AND erased_at IS NULL AND disabled_at IS NOT NULL
        "#,
        account.user_id,
    )
    .execute(owner)
    .await?;
    match (enabled.rows_affected(), account.state()) {
        (1.., _) | (0, "active") => Ok(()),
        (0, state) => bail!("the account is {state}"),
    }
}

/// Sets the password of an account, and ends its sessions.
pub async fn set_password(owner: &PgPool, account: &Account, password: String) -> anyhow::Result<()> {
    ensure!(account.erased_at.is_none(), "the account is erased");
    let is_placeholder = account.username.as_deref().is_some_and(|username| username.starts_with('~'));
    ensure!(!is_placeholder, "the account is the placeholder of an imported person");
    let names = [&account.username, &account.display_name].map(|name| name.as_deref().unwrap_or_default());
    let hash = hashed(password, &names)?;
    let mut tx = owner.begin().await?;
    sqlx::query!("UPDATE accounts SET password_hash = $2 WHERE user_id = $1", account.user_id, hash)
        .execute(&mut *tx)
        .await?;
    end_sessions(&mut tx, account.user_id).await?;
    Ok(tx.commit().await?)
}

/// Erases an account: only its id is left, which events name.
pub async fn erase(owner: &PgPool, account: &Account) -> anyhow::Result<()> {
    let mut tx = owner.begin().await?;
    let user = account.user_id;
    sqlx::query!(
        r#"
        UPDATE accounts
        SET username = NULL, display_name = NULL, password_hash = NULL, vouched_at = NULL,
            disabled_at = coalesce(disabled_at, now()), erased_at = coalesce(erased_at, now()), status_changed_at = now()
        WHERE user_id = $1
        "#,
        user,
    )
    .execute(&mut *tx)
    .await?;
    // Their name in imported history, of every project that has it.
    sqlx::query!(
        r#"
        UPDATE accounts SET username = NULL, display_name = NULL
        WHERE user_id IN (SELECT placeholder_id FROM placeholder_claims WHERE claimed_by = $1)
        "#,
        user,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("DELETE FROM placeholder_offers WHERE user_id = $1", user).execute(&mut *tx).await?;
    sqlx::query!("DELETE FROM sessions WHERE user_id = $1", user).execute(&mut *tx).await?;
    sqlx::query!("DELETE FROM api_tokens WHERE user_id = $1", user).execute(&mut *tx).await?;
    sqlx::query!("DELETE FROM calendar_links WHERE user_id = $1", user).execute(&mut *tx).await?;
    sqlx::query!("DELETE FROM own_filters WHERE user_id = $1", user).execute(&mut *tx).await?;
    sqlx::query!("DELETE FROM notification_reads WHERE user_id = $1", user).execute(&mut *tx).await?;
    sqlx::query!("DELETE FROM notification_settings WHERE user_id = $1", user).execute(&mut *tx).await?;
    Ok(tx.commit().await?)
}

async fn end_sessions(db: &mut sqlx::PgConnection, user: Uuid) -> sqlx::Result<()> {
    sqlx::query!("UPDATE sessions SET ended_at = now() WHERE user_id = $1 AND ended_at IS NULL", user)
        .execute(db)
        .await?;
    Ok(())
}

fn hashed(password: String, names: &[&str]) -> anyhow::Result<String> {
    let password = NewPassword::try_from(password).map_err(|rule| anyhow::anyhow!("the password {rule}"))?;
    password.must_not_be_common(names).map_err(|rule| anyhow::anyhow!("the password {rule}"))?;
    password.hash().context("hashing the password")
}
