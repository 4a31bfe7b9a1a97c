//! Authority with which a caller makes a credential (an API token, a link, a ticket): it must be in force now, although
//! the caller's access token may be valid for some minutes more.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Rows that stand behind a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthorityOf {
    pub user: Uuid,
    pub session: Option<Uuid>,
    pub api_token: Option<Uuid>,
}

/// Authority that is in force, and stays so until the end of the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldAuthority {
    /// Time of the sign-in, for a session.
    pub signed_in_at: Option<DateTime<Utc>>,
}

/// Reason for which a caller may not make credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LapsedAuthority {
    AccountDisabled,
    SessionEnded,
    TokenRevoked,
    /// The API token is in force, and may not make credentials.
    TokenCannotDelegate,
}

/// Locks the rows behind a caller until the end of the transaction, unless they are no longer in force.
pub async fn hold_authority(
    db: &mut PgConnection,
    of: AuthorityOf,
) -> sqlx::Result<Result<HeldAuthority, LapsedAuthority>> {
    let held = sqlx::query!(
        r#"SELECT outcome AS "outcome!", signed_in_at FROM taskfold_hold_authority($1, $2, $3)"#,
        of.user,
        of.session,
        of.api_token,
    )
    .fetch_one(db)
    .await?;
    Ok(match held.outcome.as_str() {
        "held" => Ok(HeldAuthority { signed_in_at: held.signed_in_at }),
        "session" => Err(LapsedAuthority::SessionEnded),
        "token" => Err(LapsedAuthority::TokenRevoked),
        "delegation" => Err(LapsedAuthority::TokenCannotDelegate),
        _ => Err(LapsedAuthority::AccountDisabled),
    })
}
