//! The HTTP door: accepts connections, bounds what each may cost, and closes without cutting anybody off.
//!
//! Our own loop, because `axum::serve` sets no timer (a client may take for ever to send its headers) and no limit on
//! a connection's buffer or on the number of connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::first_head::{FirstHead, Heard};
use crate::moving::Moving;

/// For a new connection's first request to be there, up to the end of its head.
const FIRST_HEAD_LIMIT: Duration = Duration::from_secs(10);
/// For each later one, from the end of the answer before it. Longer than balancers keep an idle connection (60 s is
/// usual), so that it is they who close it, and never we while they send.
const NEXT_HEAD_LIMIT: Duration = Duration::from_secs(75);
/// For a client to take something of an answer that is ready for them.
const STALL_LIMIT: Duration = Duration::from_secs(60);
const HEAD_BYTES: usize = 64 * 1024;
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
    let builder = Arc::new(builder());
    let places = Arc::new(Semaphore::new(max_connections));
    let graceful = GracefulShutdown::new();
    let abort = CancellationToken::new();
    // Dropped on every way out: what is still open then has had its time.
    let _abort_at_the_end = abort.clone().drop_guard();
    loop {
        let (stream, peer, place) = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = shutdown.cancelled() => break,
        };
        let connection = serve_connection(Arc::clone(&builder), stream, peer, router.clone(), graceful.watcher());
        let abort = abort.clone();
        tokio::spawn(async move {
            metrics::gauge!("taskfold_http_connections").increment(1);
            tokio::select! {
                () = connection => {}
                () = abort.cancelled() => {}
            }
            metrics::gauge!("taskfold_http_connections").decrement(1);
            drop(place);
        });
    }
    drop(listener);
    let open = graceful.count();
    if tokio::time::timeout(FINISH_LIMIT, graceful.shutdown()).await.is_err() {
        tracing::warn!(open_at_first = open, "connections did not finish in time, closing them");
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

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(NEXT_HEAD_LIMIT)
        .max_buf_size(HEAD_BYTES)
        .keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20))
        .max_concurrent_streams(250)
        .max_header_list_size(64 * 1024);
    builder
}

async fn serve_connection(
    builder: Arc<Builder<TokioExecutor>>,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    watcher: Watcher,
) {
    // Answers and events are small and complete when they are written: waiting for more only delays them.
    let _ = stream.set_nodelay(true);
    let heard = Heard::default();
    let io = TokioIo::new(FirstHead::new(Moving::new(stream, STALL_LIMIT), FIRST_HEAD_LIMIT, heard.clone()));
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        heard.set();
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let connection = builder.serve_connection(io, service).into_owned();
    if let Err(error) = watcher.watch(connection).await {
        // Clients go away all the time; that is no news.
        tracing::debug!(%peer, error, "connection ended with an error");
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
