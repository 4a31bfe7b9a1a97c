//! Claims of our own tokens.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};
use taskfold_domain::ids::UserId;
use taskfold_domain::limits::{ACCESS_TOKEN_SECONDS, TICKET_SECONDS};
use taskfold_event_log::Clock;
use uuid::Uuid;

use super::Rejected;

pub(super) const ISSUER: &str = "taskfold";
/// Tolerance for differences between clocks.
const LEEWAY_SECONDS: u64 = 2;

/// Purpose of a token: its audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Requests,
    Streams,
}

impl Purpose {
    fn audience(self) -> &'static str {
        match self {
            Self::Requests => "taskfold",
            Self::Streams => "taskfold-streams",
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    pub iss: String,
    pub aud: String,
    pub sub: Uuid,
    /// The session. A ticket has that of the token with which it was created.
    pub sid: Uuid,
    /// Id of a ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<Uuid>,
    /// Id of the API token with which a ticket was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<Uuid>,
    /// Expiry of the token with which a ticket was created, unless that was the token of a session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    pub iat: i64,
    pub exp: i64,
}

impl Claims {
    pub(super) fn new(purpose: Purpose, user: UserId, session: Uuid, clock: &Clock) -> Self {
        let iat = clock.unix_seconds();
        let lifetime = match purpose {
            Purpose::Requests => ACCESS_TOKEN_SECONDS,
            Purpose::Streams => TICKET_SECONDS,
        };
        Self {
            iss: ISSUER.to_owned(),
            aud: purpose.audience().to_owned(),
            sub: user.0,
            sid: session,
            jti: None,
            tid: None,
            until: None,
            iat,
            exp: iat + lifetime,
        }
    }

    /// The claims, unless they have expired for longer than the grace period.
    pub(super) fn unless_expired(self, grace_seconds: u64, clock: &Clock) -> Result<Self, Rejected> {
        let last = self.exp.saturating_add_unsigned(LEEWAY_SECONDS + grace_seconds);
        if last < clock.unix_seconds() { Err(Rejected::Expired) } else { Ok(self) }
    }

    /// Claims of a token that is signed by this key, for this purpose. It may have expired.
    pub(super) fn verified(key: &DecodingKey, purpose: Purpose, token: &str) -> Result<Self, Rejected> {
        // The algorithm is never taken from the token, which prevents `alg: none` and key confusion.
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[purpose.audience()]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The library would read the clock of the machine.
        validation.validate_exp = false;
        Ok(jsonwebtoken::decode::<Self>(token, key, &validation)?.claims)
    }
}
