//! State that the handlers of a service share.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;

use crate::auth::Verifier;

/// State that all handlers of a service share. Each request has a reference to it.
pub struct SharedState<T>(Arc<T>);

impl<T> Clone for SharedState<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> From<T> for SharedState<T> {
    fn from(state: T) -> Self {
        Self(Arc::new(state))
    }
}

impl<T> Deref for SharedState<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: AsRef<Verifier>> FromRef<SharedState<T>> for Verifier {
    fn from_ref(shared: &SharedState<T>) -> Self {
        (**shared).as_ref().clone()
    }
}
