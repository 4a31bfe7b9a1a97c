//! End of the authority behind the token with which a stream was opened or renewed.

use futures::FutureExt;
use futures::future::BoxFuture;
use taskfold_domain::ids::UserId;
use taskfold_web::auth::Means;

use crate::http::app::App;

/// Completes when the session ends, the API token is revoked or the account is disabled.
pub(super) fn token_revocation(app: &App, user: UserId, means: Means) -> BoxFuture<'static, ()> {
    let verifier = app.verifier.clone();
    async move { verifier.revoked(user, means).await }.boxed()
}
