//! The HTTP door: accepts connections, bounds what each may cost, and closes without cutting anybody off.
//!
//! Our own loop, because `axum::serve` sets no timer (a client may take for ever to send its headers) and no limit on
//! a connection's buffer or on the number of connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use taskfold_event_log::metrics;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::address_limit::{Addresses, Entered};
use self::connection::Door;
use self::rejection::Rejections;
use crate::config::limits::Limits;

/// Limit of connections by address.
mod address_limit;
/// One connection, of HTTP/1 or HTTP/2.
mod connection;
/// Time limit of a connection's first request head.
mod header_timeout;
/// Answers to connections beyond the limit.
mod rejection;
/// Routes of one port.
pub mod routes;
/// A socket that HTTP and a stream have in common.
mod shared_socket;
/// Time limit of writes that make no progress.
mod write_timeout;

/// For answers that are under way when the program ends.
const FINISH_LIMIT: Duration = Duration::from_secs(10);
/// After an error of accepting, most likely that no file descriptor is left: one will be, soon.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections that wait in the kernel to be accepted: thousands come at once when a server beside this one restarts. The kernel's
/// own limit (`net.core.somaxconn`) is 4096 on Linux.
const BACKLOG: u32 = 4096;

/// Takes the port.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart does not wait for the old connections to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `shutdown`, then finishes what is under way. Errors of single connections never end it.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let places = Arc::new(Semaphore::new(limits.connections.get() as usize));
    let addresses = Addresses::new(limits.per_address.get() as usize);
    let rejections = Rejections::new();
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
        match addresses.enter(peer.ip()) {
            Some(entered) => door.open_to(stream, peer, Place { _connection: place, _address: entered }),
            None => rejections.reject(stream, peer),
        }
    }
    drop(listener);
    open.close();
    let open_at_first = open.len();
    if tokio::time::timeout(FINISH_LIMIT, open.wait()).await.is_err() {
        tracing::warn!(open_at_first, "connections did not finish in time, closing them");
    }
    Ok(())
}

/// A connection's place among all, and among those of its address.
struct Place {
    _connection: OwnedSemaphorePermit,
    _address: Entered,
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
                metrics::http_accept_errors().increment(1);
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

    fn limits(connections: u32, per_address: u32) -> Limits {
        let number = |n| std::num::NonZeroU32::new(n).expect("not zero");
        let (connections, per_address) = (number(connections), number(per_address));
        Limits { connections, per_address, streams_per_user: connections, presence: Duration::ZERO }
    }

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
        let served = tokio::spawn(serve(listener, router, limits(10, 10), shutdown.clone()));

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
        let served = tokio::spawn(serve(listener, router, limits(1, 1), shutdown.clone()));

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

    #[tokio::test]
    async fn an_address_with_too_many_connections_is_told_so_and_may_come_again() -> anyhow::Result<()> {
        let listener = listen("127.0.0.1:0".parse()?)?;
        let address = listener.local_addr()?;
        let shutdown = CancellationToken::new();
        let router = Router::new().route("/", get(async || "done"));
        let served = tokio::spawn(serve(listener, router, limits(10, 1), shutdown.clone()));

        let first = TcpStream::connect(address).await?;
        let ask = async || -> anyhow::Result<String> {
            let mut client = TcpStream::connect(address).await?;
            client.write_all(REQUEST).await?;
            let mut answer = String::new();
            client.read_to_string(&mut answer).await?;
            Ok(answer)
        };
        let answer = ask().await?;
        assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains("retry-after: 30"), "{answer}");
        assert!(answer.ends_with('}') && answer.contains("\"code\":\"rate-limited\""), "{answer}");
        drop(first);
        while !ask().await?.ends_with("done") {
            tokio::task::yield_now().await;
        }
        shutdown.cancel();
        served.await?
    }
}
