//! Who signs in to PostgreSQL, and how: each part of the program as a role of its own, with its own limits.

use anyhow::Context as _;
use rand::Rng as _;
use rand::distr::Alphanumeric;
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use taskfold_event_log::deadline::{REQUEST, within};

use crate::connections;

/// A part of the program, as the database knows it. What each may do is in `migrations/access.sql`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseRole {
    Command,
    Query,
    /// The live feed.
    Feed,
    Projector,
    /// The projector's, for what takes long and is watched by somebody: rebuilds and checks.
    Maintenance,
}

/// Names of PostgreSQL have at most this many bytes.
const LONGEST_NAME: usize = 63;
/// Without the limits of the others, but for waits that others would wait behind. Transactions that read at length set the last one for
/// themselves.
const MAINTENANCE: [&str; 4] =
    ["statement_timeout=0", "lock_timeout=10s", "idle_in_transaction_session_timeout=2s", "jit=off"];
/// Connections whose other end has vanished are noticed by the server within half a minute, and what they lock is free again.
const KEEPALIVE: [&str; 4] =
    ["tcp_keepalives_idle=10", "tcp_keepalives_interval=5", "tcp_keepalives_count=3", "tcp_user_timeout=30s"];

impl DatabaseRole {
    /// All that have a login.
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

    /// Settings of its sessions (name=value). Whatever waits in there ends before the caller's own deadline does; and a transaction that
    /// holds locks and does nothing ends before the projector's lease.
    pub fn settings(self) -> Vec<&'static str> {
        let own: &[&str] = match self {
            Self::Command => &["statement_timeout=4s", "lock_timeout=2s", "idle_in_transaction_session_timeout=5s"],
            Self::Query => &["statement_timeout=5s", "lock_timeout=3s", "idle_in_transaction_session_timeout=5s"],
            Self::Feed => &["statement_timeout=15s", "lock_timeout=3s", "idle_in_transaction_session_timeout=5s"],
            // Read tables are made from the log, and made again from it when PostgreSQL dies before their last rows are on
            // disk. To wait for the disk would hold up commands: PostgreSQL lets one transaction at a time commit that
            // notifies somebody. And PostgreSQL would tell of every word that is too long to be searched for.
            Self::Projector => &[
                "statement_timeout=25s",
                "lock_timeout=2s",
                "idle_in_transaction_session_timeout=2s",
                "synchronous_commit=off",
                "client_min_messages=warning",
            ],
            Self::Maintenance => return [&MAINTENANCE[..], &["client_min_messages=warning"], &KEEPALIVE[..]].concat(),
        };
        // The plans of this program look so expensive that a stock server would compile them, which takes longer than they run.
        [own, &["jit=off"], &KEEPALIVE].concat()
    }

    /// Shown in `pg_stat_activity`.
    pub fn application_name(self) -> &'static str {
        match self {
            Self::Command => "taskfold command-api",
            Self::Query => "taskfold query-api",
            Self::Feed => "taskfold live feed",
            Self::Projector => "taskfold projector",
            Self::Maintenance => "taskfold maintenance",
        }
    }

    /// Of one database: a cluster may have several, each with passwords of its own.
    fn login(self, database: &str) -> String {
        let name = format!("{}_{database}", self.name());
        if name.len() <= LONGEST_NAME {
            return name;
        }
        let digest = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()).simple().to_string();
        let cut = name.floor_char_boundary(LONGEST_NAME - 17);
        format!("{}_{}", &name[..cut], &digest[..16])
    }
}

/// URLs that were given for single parts. `None`: the login role that `taskfold migrate` has made.
#[derive(Debug, Clone, Default)]
pub struct PartUrls {
    pub command: Option<String>,
    pub query: Option<String>,
    pub feed: Option<String>,
    pub projector: Option<String>,
}

impl PartUrls {
    pub fn of(&self, role: DatabaseRole) -> Option<&str> {
        match role {
            DatabaseRole::Command => self.command.as_deref(),
            DatabaseRole::Query => self.query.as_deref(),
            DatabaseRole::Feed => self.feed.as_deref(),
            DatabaseRole::Projector | DatabaseRole::Maintenance => self.projector.as_deref(),
        }
    }
}

/// Makes the login roles of this database that no URL was given for. As the owner of the tables, after the migrations.
pub async fn make_logins(owner: &PgPool, given: &PartUrls) -> anyhow::Result<()> {
    let database: String = sqlx::query_scalar("SELECT current_database()::text").fetch_one(owner).await?;
    let mut tx = owner.begin().await?;
    // One process at a time: a password is made once.
    sqlx::query("LOCK TABLE database_logins IN SHARE ROW EXCLUSIVE MODE").execute(&mut *tx).await?;
    for role in DatabaseRole::LOGINS.into_iter().filter(|role| given.of(*role).is_none()) {
        let login = role.login(&database);
        let known: Option<String> =
            sqlx::query_scalar("SELECT password FROM database_logins WHERE member_of = $1 AND login = $2")
                .bind(role.name())
                .bind(&login)
                .fetch_optional(&mut *tx)
                .await?;
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
            .bind(&login)
            .fetch_one(&mut *tx)
            .await?;
        // A role of that name without its password here is of an earlier database of the same name.
        let secret = (!exists || known.is_none()).then(|| known.clone().unwrap_or_else(password));
        if let (Some(secret), None) = (&secret, &known) {
            sqlx::query(
                "INSERT INTO database_logins (member_of, login, password) VALUES ($1, $2, $3) \
                 ON CONFLICT (member_of) DO UPDATE SET login = excluded.login, password = excluded.password",
            )
            .bind(role.name())
            .bind(&login)
            .bind(secret)
            .execute(&mut *tx)
            .await?;
        }
        sqlx::query("SELECT taskfold_login($1, $2, $3, $4)")
            .bind(role.name())
            .bind(&login)
            .bind(secret)
            .bind(role.settings())
            .execute(&mut *tx)
            .await
            .with_context(|| {
                format!(
                    "making the login role {login} (without the right to make roles, give each part a URL of its own: see \
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

/// How a part signs in: as its URL says, or with the login that the owner's database has for it.
pub async fn sign_in(role: DatabaseRole, given: &PartUrls, owner: Option<&PgPool>) -> anyhow::Result<PgConnectOptions> {
    if let Some(url) = given.of(role) {
        return connections::connect_options(url);
    }
    let owner = owner.context("there is neither a database URL of this part nor DATABASE_URL")?;
    let look = sqlx::query_as("SELECT login, password FROM database_logins WHERE member_of = $1").bind(role.name());
    let login: Option<(String, String)> =
        within(REQUEST, look.fetch_optional(owner)).await.context("reading the logins of the database")?;
    let (login, password) = login.context("the database has no login for this part: run `taskfold migrate` first")?;
    Ok((*owner.connect_options()).clone().username(&login).password(&password))
}

/// Connections as a part, to a database of which only the owner's URL is known.
pub async fn part_pool(database_url: &str, role: DatabaseRole, size: u32) -> anyhow::Result<PgPool> {
    let owner = connections::owner_pool(database_url, 1)?;
    let options = sign_in(role, &PartUrls::default(), Some(&owner)).await?;
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
        assert!(one != other && one.len() <= LONGEST_NAME && other.len() <= LONGEST_NAME, "{one} {other}");
    }
}
