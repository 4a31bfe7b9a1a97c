//! The HTTP door: accepts connections, bounds what each may cost, and closes without cutting anybody off.
//!
//! Our own loop, because `axum::serve` sets no timer (a client may take for ever to send its headers) and no limit on
//! a connection's buffer or on the number of connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::connection::Door;

/// One connection, of HTTP/1 or HTTP/2.
mod connection;

/// For answers that are under way when the program ends.
const FINISH_LIMIT: Duration = Duration::from_secs(10);
/// After an error of accepting, most likely that no file descriptor is left: one will be, soon.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown`, then finishes what is under way. Errors of single connections never end it.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    max_connections: usize,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let places = Arc::new(Semaphore::new(max_connections));
    let open = TaskTracker::new();
    let abort = CancellationToken::new();
    // Dropped on every way out: what is still open then has had its time.
    let _abort_at_the_end = abort.clone().drop_guard();
    let door = Door { router, open: open.clone(), shutdown: shutdown.clone(), abort };
    loop {
        let (stream, peer, place) = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = shutdown.cancelled() => break,
        };
        door.open_to(stream, peer, place);
    }
    drop(listener);
    open.close();
    let open_at_first = open.len();
    if tokio::time::timeout(FINISH_LIMIT, open.wait()).await.is_err() {
        tracing::warn!(open_at_first, "connections did not finish in time, closing them");
    }
    Ok(())
}

/// A place first, then a client: who finds no place waits in the kernel's queue instead of costing memory here.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    loop {
        // Never closed, so the error cannot happen; waiting again is as good as anything.
        let Ok(place) = Arc::clone(places).acquire_owned().await else { continue };
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                metrics::counter!("taskfold_http_accept_errors_total").increment(1);
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Room for the connections we are willing to hold: the soft limit of open files is often 1024.
pub fn raise_open_files_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        // macOS reports "unlimited" and refuses to set it.
        let wanted = hard.min(1 << 20);
        if soft < wanted { setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) } else { Ok(()) }
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::Notify;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn what_is_under_way_at_the_end_is_finished() -> anyhow::Result<()> {
        let (asked, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tell, wait) = (Arc::clone(&asked), Arc::clone(&finish));
        let router = Router::new().route(
            "/",
            get(async move || {
                tell.notify_one();
                wait.notified().await;
                "done"
            }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shutdown = CancellationToken::new();
        let served = tokio::spawn(serve(listener, router, 10, shutdown.clone()));

        let mut client = TcpStream::connect(address).await?;
        client.write_all(REQUEST).await?;
        asked.notified().await;
        shutdown.cancel();
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        finish.notify_one();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await?;
        assert!(answer.ends_with("done"), "{answer}");
        served.await?
    }

    #[tokio::test]
    async fn one_too_many_waits_for_a_place() -> anyhow::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shutdown = CancellationToken::new();
        let router = Router::new().route("/", get(async || "done"));
        let served = tokio::spawn(serve(listener, router, 1, shutdown.clone()));

        let first = TcpStream::connect(address).await?;
        let mut second = TcpStream::connect(address).await?;
        second.write_all(REQUEST).await?;
        let mut answer = String::new();
        let early = tokio::time::timeout(Duration::from_millis(50), second.read_to_string(&mut answer)).await;
        assert!(early.is_err(), "answered although the only place was taken");
        drop(first);
        second.read_to_string(&mut answer).await?;
        assert!(answer.ends_with("done"), "{answer}");
        shutdown.cancel();
        served.await?
    }
}
