use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};
use taskfold_domain::ids::UserId;
use taskfold_event_log::clock;
use uuid::Uuid;

use super::{ACCESS_TOKEN_SECONDS, Rejected, TICKET_SECONDS};

pub(super) const ISSUER: &str = "taskfold";
/// Against clocks that go a little differently.
const LEEWAY_SECONDS: u64 = 2;

/// What a token is good for: its audience.
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
    /// The session; a ticket carries that of the token it was bought with.
    pub sid: Uuid,
    /// Of a ticket: its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<Uuid>,
    /// Of a ticket that was bought with an API token: which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tid: Option<Uuid>,
    /// Of a ticket that was bought with another token than a session's: when that one ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    pub iat: i64,
    pub exp: i64,
}

impl Claims {
    pub(super) fn new(purpose: Purpose, user: UserId, session: Uuid) -> Self {
        let iat = clock::now().utc().timestamp();
        let lives = match purpose {
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
            exp: iat + lives,
        }
    }

    pub(super) fn still_good(self) -> Result<Self, Rejected> {
        let now = clock::now().utc().timestamp();
        if self.exp.saturating_add_unsigned(LEEWAY_SECONDS) < now { Err(Rejected::Expired) } else { Ok(self) }
    }

    /// What the token says, when it is signed by this key, for this purpose and not over for longer than the grace.
    pub(super) fn checked(
        key: &DecodingKey,
        purpose: Purpose,
        token: &str,
        grace_seconds: u64,
    ) -> Result<Self, Rejected> {
        // The algorithm is ours to say, never the token's: `alg: none` and key confusion end here.
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[purpose.audience()]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.leeway = LEEWAY_SECONDS + grace_seconds;
        Ok(jsonwebtoken::decode::<Self>(token, key, &validation)?.claims)
    }
}
