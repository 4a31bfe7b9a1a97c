//! The caller of a request.

use axum::extract::{FromRef, FromRequestParts};
use http::request::Parts;
use serde::{Deserialize, Serialize};
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_event_log::AuthorityOf;
use uuid::Uuid;

use super::claims::Claims;
use super::verifier::Verifier;
use super::{Rejected, bearer};
use crate::audit::{self, Action};
use crate::client::Client;
use crate::problem::{Code, Problem};
use crate::scope::Scope;
use crate::{rate_limit, trace};

/// The caller of a request, as an extractor: a handler that has it cannot be reached without a valid token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    pub user_id: UserId,
    pub means: Means,
    pub scope: Scope,
    /// Time at which the token expires, in seconds since 1970; `i64::MAX` if it does not expire.
    pub expires_at: i64,
    /// Time at which an external issuer authenticated the person, in seconds since 1970, if it says so.
    pub authenticated_at: Option<i64>,
}

/// The caller of an operation that tokens with access `read` may use although its method is not a safe one.
#[derive(Clone, Copy, Debug)]
pub struct ReadOnlyCaller(pub Caller);

/// The credential by which the caller was authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Means {
    Session(Uuid),
    ApiToken(Uuid),
    /// A token of the external issuer.
    Outside,
}

impl Caller {
    pub(super) fn of_session(claims: &Claims) -> Self {
        Self {
            user_id: UserId(claims.sub),
            means: Means::Session(claims.sid),
            scope: Scope::FULL,
            expires_at: claims.exp,
            authenticated_at: None,
        }
    }

    /// The rows that stand behind the caller.
    pub fn authority(&self) -> AuthorityOf {
        let (session, api_token) = match self.means {
            Means::Session(session) => (Some(session), None),
            Means::ApiToken(token) => (None, Some(token)),
            Means::Outside => (None, None),
        };
        AuthorityOf { user: self.user_id.0, session, api_token }
    }

    /// 403 for a token with access `read`.
    pub fn must_write(&self) -> Result<(), Problem> {
        match self.scope.writes() {
            true => Ok(()),
            false => Err(Problem::new(Code::Forbidden, "The API token has only access `read`")),
        }
    }

    /// 404 for a project outside the scope of the token, whether or not the project exists.
    pub fn must_reach(&self, project: ProjectId) -> Result<(), Problem> {
        if self.scope.reaches(project) { Ok(()) } else { Err(Problem::not_found()) }
    }

    /// 403 for a token that is restricted to one project, where more than a project is read or changed.
    pub fn must_reach_everything(&self) -> Result<(), Problem> {
        match self.scope.project {
            None => Ok(()),
            Some(_) => Err(Problem::new(Code::Forbidden, "This API token is restricted to one project")),
        }
    }

    /// 403 for an API token, where only people are allowed.
    pub fn must_be_person(&self) -> Result<(), Problem> {
        match self.means {
            Means::Session(_) | Means::Outside => Ok(()),
            Means::ApiToken(_) => Err(Problem::new(Code::Forbidden, "API tokens cannot be used for this: sign in")),
        }
    }
}

/// Refuses tokens with access `read` unless the method is safe (RFC 9110, 9.2.1), so that no handler can forget it.
impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let ReadOnlyCaller(caller) = ReadOnlyCaller::from_request_parts(parts, state).await?;
        if !parts.method.is_safe() {
            caller.must_write()?;
        }
        Ok(caller)
    }
}

impl<S> FromRequestParts<S> for ReadOnlyCaller
where
    S: Send + Sync,
    Verifier: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let token = bearer(&parts.headers)?
            .ok_or_else(|| Problem::new(Code::Unauthenticated, "Send `Authorization: Bearer <access token>`"))?;
        let verified = Verifier::from_ref(state).verify(token).await;
        if let Err(rejected @ (Rejected::Invalid | Rejected::Ended)) = &verified {
            audit::refused(Action::Authenticate, &Client::of(parts), None, rejected.as_str());
        }
        let caller = verified?;
        trace::record_caller(&caller);
        rate_limit::count(parts, &caller)?;
        parts.extensions.insert(caller);
        Ok(Self(caller))
    }
}
