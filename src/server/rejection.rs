//! Clients who get no place are told so, at no cost that somebody could make much of.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::response::IntoResponse as _;
use taskfold_event_log::metrics;
use taskfold_web::{Code, Problem};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::connection::head;

/// For a client to take the answer: a connection that is closed with something unread is reset, and the answer lost.
const LINGER: Duration = Duration::from_secs(1);
/// Who are given that time at once. Others see their connection closed.
const LINGERING: usize = 256;
const RETRY_AFTER_SECONDS: u32 = 30;

#[derive(Clone)]
pub(super) struct Rejections(Arc<Semaphore>);

impl Rejections {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(LINGERING)))
    }

    /// Says why, without reading what is asked for.
    pub(super) fn reject(&self, mut stream: TcpStream, peer: SocketAddr) {
        metrics::http_rejected().increment(1);
        tracing::debug!(address = %peer.ip(), "an address has as many connections as it may");
        let Ok(lingering) = Arc::clone(&self.0).try_acquire_owned() else { return };
        tokio::spawn(async move {
            let _lingering = lingering;
            // It fits into any socket's buffer; who cannot take it has gone.
            let _ = stream.try_write(&answer());
            let read_to_the_end = async {
                let mut ignored = [0; 1024];
                while stream.read(&mut ignored).await.is_ok_and(|count| count > 0) {}
            };
            let _ = tokio::time::timeout(LINGER, read_to_the_end).await;
        });
    }
}

fn answer() -> Vec<u8> {
    let problem =
        Problem::new(Code::RateLimited, "Too many connections from one address").retry_after(RETRY_AFTER_SECONDS);
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut answer = head(&problem.into_response());
    answer.extend_from_slice(&body);
    answer
}
