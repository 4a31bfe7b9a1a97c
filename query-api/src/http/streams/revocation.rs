//! Revocation of the token with which a stream was opened or renewed.

use futures::FutureExt;
use futures::future::BoxFuture;
use taskfold_web::auth::Means;

use crate::http::app::App;

/// Completes when the API token is revoked. `None` for other tokens, which end at their expiry.
pub(super) fn token_revocation(app: &App, means: Means) -> Option<BoxFuture<'static, ()>> {
    let verifier = app.verifier.clone();
    match means {
        Means::ApiToken(_) => Some(async move { verifier.revoked(means).await }.boxed()),
        Means::Session(_) | Means::Outside => None,
    }
}
