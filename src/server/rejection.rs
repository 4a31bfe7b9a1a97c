//! Rejection of connections from addresses that have too many, at a bounded cost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::response::IntoResponse as _;
use taskfold_domain::Timestamp;
use taskfold_event_log::{Clock, metrics};
use taskfold_web::{Code, Problem, security_headers};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::connection::head;
use super::linger::linger;

/// Time for the client to read the response.
const LINGER: Duration = Duration::from_secs(1);
/// Maximum number of connections that get this time at once. Others are closed.
const MAX_LINGERING: usize = 256;
const RETRY_AFTER_SECONDS: u32 = 30;

/// Rejected connections that are still open.
#[derive(Clone)]
pub(super) struct Rejections {
    lingering: Arc<Semaphore>,
    clock: Clock,
}

impl Rejections {
    pub(super) fn new(clock: Clock) -> Self {
        Self { lingering: Arc::new(Semaphore::new(MAX_LINGERING)), clock }
    }

    /// Sends 429 without reading the request, and closes the connection.
    pub(super) fn reject(&self, stream: TcpStream, peer: SocketAddr) {
        metrics::http_rejected().increment(1);
        tracing::debug!(%peer, reason = "too many connections of the address", "connection rejected");
        let Ok(lingering) = Arc::clone(&self.lingering).try_acquire_owned() else { return };
        let now = self.clock.now();
        tokio::spawn(async move {
            let _lingering = lingering;
            // The response fits into the buffer of any socket; a failure means that the client has disconnected.
            let _ = stream.try_write(&answer(now));
            linger(stream, LINGER).await;
        });
    }
}

fn answer(now: Timestamp) -> Vec<u8> {
    let problem =
        Problem::new(Code::RateLimited, "Too many connections from one address").retry_after(RETRY_AFTER_SECONDS);
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = problem.into_response();
    security_headers::insert(response.headers_mut());
    let mut answer = head(&response, now);
    answer.extend_from_slice(&body);
    answer
}
