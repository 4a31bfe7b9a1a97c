//! The deadline of a request: it gets a response in time, whatever it waits for (a connection, a statement, a lock).
//! Requests that may take longer (a long poll, a slow body) extend their deadline.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use taskfold_event_log::deadline::{REQUEST, abandoned};
use tokio::time::Instant;

use crate::problem::Problem;

tokio::task_local! {
    static DEADLINE: Deadline;
}

/// The time by which a request must have a response.
#[derive(Clone)]
struct Deadline(Arc<Mutex<Instant>>);

impl Deadline {
    fn at(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn extend_to(&self, at: Instant) {
        let mut deadline = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *deadline = at.max(*deadline);
    }

    async fn passed(&self) {
        while Instant::now() < self.at() {
            tokio::time::sleep_until(self.at()).await;
        }
    }
}

/// Extends the deadline of the current request to this time from now, plus the time that every request has. Without a
/// request, it does nothing.
pub fn allow(time: Duration) {
    // An error means that there is no request.
    let _ = DEADLINE.try_with(|deadline| deadline.extend_to(Instant::now() + time + REQUEST));
}

/// Responds with 503 to a request that has no response at its deadline.
pub async fn limit(request: Request, next: Next) -> Response {
    let deadline = Deadline(Arc::new(Mutex::new(Instant::now() + REQUEST)));
    let response = DEADLINE.scope(deadline.clone(), Watched::new(Box::pin(next.run(request))));
    tokio::select! {
        response = response => response,
        () = deadline.passed() => Problem::unavailable("A dependency of the response").into_response(),
    }
}

/// Reports a request that is given up, at its deadline or because its client has disconnected: its calls may still be
/// under way.
struct Watched<F> {
    request: F,
    finished: bool,
}

impl<F> Watched<F> {
    fn new(request: F) -> Self {
        Self { request, finished: false }
    }
}

impl<F: Future + Unpin> Future for Watched<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let response = Pin::new(&mut self.request).poll(cx);
        self.finished = response.is_ready();
        response
    }
}

impl<F> Drop for Watched<F> {
    fn drop(&mut self) {
        if !self.finished {
            abandoned();
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    async fn status(router: Router) -> u16 {
        let request = Request::builder().uri("/").body(Body::empty()).expect("a request");
        router.layer(from_fn(limit)).oneshot(request).await.expect("infallible").status().as_u16()
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_without_a_response_is_unavailable_at_the_deadline() {
        let begun = Instant::now();
        let never = Router::new().route("/", get(async || std::future::pending::<()>().await));
        assert_eq!(status(never).await, 503);
        assert_eq!(begun.elapsed().as_secs(), REQUEST.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_poll_extends_its_deadline() {
        let long_poll = async || {
            allow(Duration::from_secs(30));
            tokio::time::sleep(Duration::from_secs(30)).await;
        };
        assert_eq!(status(Router::new().route("/", get(long_poll))).await, 200);
    }
}
