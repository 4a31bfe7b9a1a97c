//! The deadline of a request: whatever it waits for (a connection, a statement, a lock), it is answered. What legitimately takes longer (a
//! long poll, a body that comes in slowly) moves its own deadline on.

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

/// When a request is to be answered.
#[derive(Clone)]
struct Deadline(Arc<Mutex<Instant>>);

impl Deadline {
    fn at(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn move_on(&self, at: Instant) {
        let mut deadline = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *deadline = at.max(*deadline);
    }

    async fn passed(&self) {
        while Instant::now() < self.at() {
            tokio::time::sleep_until(self.at()).await;
        }
    }
}

/// Gives the current request this much time from now on, and what any request has besides. Outside of a request it does nothing.
pub fn allow(time: Duration) {
    // Nobody else's business when there is no request.
    let _ = DEADLINE.try_with(|deadline| deadline.move_on(Instant::now() + time + REQUEST));
}

/// Answers 503 when a request has no answer at its deadline.
pub async fn limit(request: Request, next: Next) -> Response {
    let deadline = Deadline(Arc::new(Mutex::new(Instant::now() + REQUEST)));
    let answer = DEADLINE.scope(deadline.clone(), Watched::new(Box::pin(next.run(request))));
    tokio::select! {
        answer = answer => answer,
        () = deadline.passed() => Problem::unavailable("What the answer depends on").into_response(),
    }
}

/// Notes when a request is given up, at its deadline or because its client has gone: calls of it may be under way.
struct Watched<F> {
    request: F,
    answered: bool,
}

impl<F> Watched<F> {
    fn new(request: F) -> Self {
        Self { request, answered: false }
    }
}

impl<F: Future + Unpin> Future for Watched<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let answer = Pin::new(&mut self.request).poll(cx);
        self.answered = answer.is_ready();
        answer
    }
}

impl<F> Drop for Watched<F> {
    fn drop(&mut self) {
        if !self.answered {
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
    async fn what_never_answers_is_unavailable_at_the_deadline() {
        let begun = Instant::now();
        let never = Router::new().route("/", get(async || std::future::pending::<()>().await));
        assert_eq!(status(never).await, 503);
        assert_eq!(begun.elapsed().as_secs(), REQUEST.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn what_says_that_it_waits_has_the_time_for_it() {
        let long_poll = async || {
            allow(Duration::from_secs(30));
            tokio::time::sleep(Duration::from_secs(30)).await;
        };
        assert_eq!(status(Router::new().route("/", get(long_poll))).await, 200);
    }
}
