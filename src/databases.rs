//! Logins of PostgreSQL: each role of the program has a database role of its own, with its own limits.

use anyhow::Context as _;
use rand::Rng as _;
use rand::distr::Alphanumeric;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use taskfold_event_log::deadline::{REQUEST, within};

use crate::connections;

/// Database role of a role of the program. Its grants are in `migrations/access.sql`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseRole {
    Command,
    Query,
    /// The live feed of the query-api.
    Feed,
    Projector,
    /// That of the projector, for rebuilds and checks, which take long and which somebody watches.
    Maintenance,
}

/// Maximum length of a name in PostgreSQL.
const MAX_NAME_BYTES: usize = 63;
/// Settings of maintenance: only locks that others would wait behind are limited. Transactions that read at length set
/// the idle limit for themselves.
const MAINTENANCE: [&str; 4] =
    ["statement_timeout=0", "lock_timeout=10s", "idle_in_transaction_session_timeout=2s", "jit=off"];
/// Settings with which the server notices lost connections within half a minute, and releases their locks.
const KEEPALIVE: [&str; 4] =
    ["tcp_keepalives_idle=10", "tcp_keepalives_interval=5", "tcp_keepalives_count=3", "tcp_user_timeout=30s"];

impl DatabaseRole {
    /// Roles with a login.
    pub const LOGINS: [Self; 4] = [Self::Command, Self::Query, Self::Feed, Self::Projector];

    /// The role that holds the grants.
    pub fn name(self) -> &'static str {
        match self {
            Self::Command => "taskfold_command",
            Self::Query => "taskfold_query",
            Self::Feed => "taskfold_feed",
            Self::Projector | Self::Maintenance => "taskfold_projector",
        }
    }

    /// Settings of its sessions (name=value). Statements end before the caller's deadline, and idle transactions that
    /// hold locks end before the projector's lease.
    pub fn settings(self) -> Vec<&'static str> {
        let own: &[&str] = match self {
            Self::Command => &["statement_timeout=4s", "lock_timeout=2s", "idle_in_transaction_session_timeout=5s"],
            Self::Query => &["statement_timeout=5s", "lock_timeout=3s", "idle_in_transaction_session_timeout=5s"],
            Self::Feed => &["statement_timeout=15s", "lock_timeout=3s", "idle_in_transaction_session_timeout=5s"],
            // Read tables are derived from the log, and again if PostgreSQL crashes before their last rows are on disk.
            // Waiting for the disk would delay commands, because PostgreSQL commits transactions with notifications one
            // at a time. The message level suppresses a notice for every word that is too long for the search.
            Self::Projector => &[
                "statement_timeout=25s",
                "lock_timeout=2s",
                "idle_in_transaction_session_timeout=2s",
                "synchronous_commit=off",
                "client_min_messages=warning",
            ],
            Self::Maintenance => return [&MAINTENANCE[..], &["client_min_messages=warning"], &KEEPALIVE[..]].concat(),
        };
        // The estimated costs of the plans would make a stock server compile them, which takes longer than running
        // them.
        [own, &["jit=off"], &KEEPALIVE].concat()
    }

    /// Name of its sessions in `pg_stat_activity`.
    pub fn application_name(self) -> &'static str {
        match self {
            Self::Command => "taskfold command-api",
            Self::Query => "taskfold query-api",
            Self::Feed => "taskfold live feed",
            Self::Projector => "taskfold projector",
            Self::Maintenance => "taskfold maintenance",
        }
    }

    /// Login for one database: a cluster may have several, each with its own passwords.
    fn login(self, database: &str) -> String {
        let name = format!("{}_{database}", self.name());
        if name.len() <= MAX_NAME_BYTES {
            return name;
        }
        let digest = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()).simple().to_string();
        let cut = name.floor_char_boundary(MAX_NAME_BYTES - 17);
        format!("{}_{}", &name[..cut], &digest[..16])
    }
}

/// URLs that were set for single roles. `None`: the login that `taskfold migrate` created.
#[derive(Debug, Clone, Default)]
pub struct RoleUrls {
    pub command: Option<String>,
    pub query: Option<String>,
    pub feed: Option<String>,
    pub projector: Option<String>,
}

impl RoleUrls {
    pub fn of(&self, role: DatabaseRole) -> Option<&str> {
        match role {
            DatabaseRole::Command => self.command.as_deref(),
            DatabaseRole::Query => self.query.as_deref(),
            DatabaseRole::Feed => self.feed.as_deref(),
            DatabaseRole::Projector | DatabaseRole::Maintenance => self.projector.as_deref(),
        }
    }
}

/// Creates the logins of this database for which no URL was set. Runs as the owner of the tables, after the migrations.
pub async fn make_logins(owner: &PgPool, given: &RoleUrls) -> anyhow::Result<()> {
    let database = sqlx::query_scalar!(r#"SELECT current_database()::text AS "name!""#).fetch_one(owner).await?;
    let mut tx = owner.begin().await?;
    // One process at a time, so that a password is created once.
    sqlx::query!("LOCK TABLE database_logins IN SHARE ROW EXCLUSIVE MODE").execute(&mut *tx).await?;
    for role in DatabaseRole::LOGINS.into_iter().filter(|role| given.of(*role).is_none()) {
        let login = role.login(&database);
        let known = sqlx::query_scalar!(
            "SELECT password FROM database_logins WHERE member_of = $1 AND login = $2",
            role.name(),
            login,
        )
        .fetch_optional(&mut *tx)
        .await?;
        let exists =
            sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1::text) AS "exists!""#, login)
                .fetch_one(&mut *tx)
                .await?;
        // A login of that name without its password here belongs to an earlier database of the same name.
        let secret = (!exists || known.is_none()).then(|| known.clone().unwrap_or_else(password));
        if let (Some(secret), None) = (&secret, &known) {
            sqlx::query!(
                r#"
                INSERT INTO database_logins (member_of, login, password) VALUES ($1, $2, $3)
                ON CONFLICT (member_of) DO UPDATE SET login = excluded.login, password = excluded.password
                "#,
                role.name(),
                login,
                secret,
            )
            .execute(&mut *tx)
            .await?;
        }
        sqlx::query!("SELECT taskfold_login($1, $2, $3, $4)", role.name(), login, secret, &role.settings() as _,)
            .execute(&mut *tx)
            .await
            .with_context(|| {
                format!(
                    "creating the login role {login} (if the owner may not create roles, set a URL for each role: see \
                 ops/roles.sql)"
                )
            })?;
    }
    tx.commit().await?;
    Ok(())
}

fn password() -> String {
    rand::rng().sample_iter(Alphanumeric).take(43).map(char::from).collect()
}

/// Connection options of a role: its URL, or else its login in the owner's database.
pub async fn sign_in(role: DatabaseRole, given: &RoleUrls, owner: Option<&PgPool>) -> anyhow::Result<PgConnectOptions> {
    if let Some(url) = given.of(role) {
        return connections::connect_options(url);
    }
    let owner = owner.context("neither DATABASE_URL nor the database URL of this role is set")?;
    let login = sqlx::query!("SELECT login, password FROM database_logins WHERE member_of = $1", role.name());
    let login = within(REQUEST, login.fetch_optional(owner)).await.context("reading the logins of the database")?;
    let login = login.context("the database has no login for this role: run `taskfold migrate` first")?;
    Ok((*owner.connect_options()).clone().username(&login.login).password(&login.password))
}

/// Pool of a role, on a database of which only the owner's URL is known.
pub async fn role_pool(database_url: &str, role: DatabaseRole, size: u32) -> anyhow::Result<PgPool> {
    let owner = connections::owner_pool(database_url, 1)?;
    let options = sign_in(role, &RoleUrls::default(), Some(&owner)).await?;
    owner.close().await;
    Ok(connections::pool(options, role, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_of_databases_with_long_names_differ_and_fit() {
        assert_eq!(DatabaseRole::Query.login("web"), "taskfold_query_web");
        let long = "ü".repeat(40);
        let (one, other) = (DatabaseRole::Projector.login(&long), DatabaseRole::Projector.login(&format!("{long}x")));
        assert!(one != other && one.len() <= MAX_NAME_BYTES && other.len() <= MAX_NAME_BYTES, "{one} {other}");
    }
}
