use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;

use crate::auth::Verifier;

/// What all handlers of a service share, as each of them gets it with each request.
pub struct Shared<T>(Arc<T>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> From<T> for Shared<T> {
    fn from(parts: T) -> Self {
        Self(Arc::new(parts))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: AsRef<Verifier>> FromRef<Shared<T>> for Verifier {
    fn from_ref(shared: &Shared<T>) -> Self {
        (**shared).as_ref().clone()
    }
}
