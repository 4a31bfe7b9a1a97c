//! Transactions in which credentials are made.

use sqlx::{Postgres, Transaction};
use taskfold_domain::limits::RECENT_SIGN_IN_SECONDS;
use taskfold_event_log::{HeldAuthority, hold_authority};
use taskfold_web::{Caller, Code, Problem};

use super::accounts::tokens::unavailable;
use super::app::App;
use super::error::ApiError;

/// Begins a transaction that makes a credential. Refuses callers whose session, API token or account has ended; none of
/// them can end before the transaction does.
pub async fn begin(app: &App, caller: &Caller) -> Result<(Transaction<'static, Postgres>, HeldAuthority), ApiError> {
    let mut tx = app.pool.begin().await.map_err(unavailable)?;
    let held = hold_authority(&mut tx, caller.authority()).await.map_err(unavailable)?;
    Ok((tx, held.map_err(Problem::from)?))
}

/// Refuses callers who did not authenticate recently (RFC 9470), as somebody who finds an open device did not.
pub fn must_be_recent(app: &App, caller: &Caller, held: HeldAuthority) -> Result<(), ApiError> {
    let signed_in_at = held.signed_in_at.map(|at| at.timestamp()).or(caller.authenticated_at);
    let since = app.clock.unix_seconds() - RECENT_SIGN_IN_SECONDS;
    match signed_in_at.is_some_and(|at| at >= since) {
        true => Ok(()),
        false => {
            let minutes = RECENT_SIGN_IN_SECONDS / 60;
            let detail = format!("This requires a sign-in within the last {minutes} minutes: sign in again");
            Err(Problem::new(Code::ReauthenticationRequired, detail).into())
        }
    }
}
