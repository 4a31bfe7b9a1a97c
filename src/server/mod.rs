//! HTTP server: accepts connections, limits the cost of each, and shuts down without interrupting requests.
//!
//! It has its own accept loop, because `axum::serve` sets no timer (a client may take forever to send its headers) and
//! no limit on the buffer of a connection or on the number of connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use taskfold_event_log::{Clock, metrics};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::address_limit::{AddressSlot, Addresses};
use self::connection::ConnectionContext;
use self::rejection::Rejections;
use crate::config::limits::ConnectionLimits;

/// Limit of connections by address.
mod address_limit;
/// One connection, of HTTP/1 or HTTP/2.
mod connection;
/// Reasons of failed connections.
mod connection_error;
/// Time limit of a connection's first request head.
mod header_timeout;
/// Closing of a connection whose client may still be sending.
mod linger;
/// Answers to connections beyond the limit.
mod rejection;
/// Routes of one port.
pub mod routes;
/// A socket that HTTP and a stream have in common.
mod shared_socket;
/// Time limit of writes that make no progress.
mod write_timeout;

/// Limit of finishing requests during the shutdown.
const FINISH_LIMIT: Duration = Duration::from_secs(10);
/// Pause after a failure to accept, most likely for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections that wait in the kernel to be accepted: thousands arrive at once when another instance restarts. The
/// limit of the kernel (`net.core.somaxconn`) is 4096 on Linux.
const BACKLOG: u32 = 4096;

/// Binds the port.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Allows a restart while old connections are in TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `shutdown`, then finishes open requests. Errors of single connections never end it.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    clock: Clock,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let slots = Arc::new(Semaphore::new(limits.total.get() as usize));
    let addresses = Addresses::new(limits.per_address.get() as usize);
    let rejections = Rejections::new(clock.clone());
    let open = TaskTracker::new();
    let abort = CancellationToken::new();
    // Dropped on every return: connections that are still open have had their time.
    let _abort_at_the_end = abort.clone().drop_guard();
    let context = ConnectionContext { router, clock, open: open.clone(), shutdown: shutdown.clone(), abort };
    loop {
        let (stream, peer, slot) = tokio::select! {
            accepted = accept(&listener, &slots) => accepted,
            () = shutdown.cancelled() => break,
        };
        match addresses.acquire(peer.ip()) {
            Some(address_slot) => context.accept(stream, peer, Slots { _connection: slot, _address: address_slot }),
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

/// Slots of a connection: one among all, and one among those of its address.
struct Slots {
    _connection: OwnedSemaphorePermit,
    _address: AddressSlot,
}

/// Accepts a connection once there is a slot: until then it waits in the queue of the kernel, and costs no memory here.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    loop {
        // The semaphore is never closed, so that this cannot fail.
        let Ok(slot) = Arc::clone(slots).acquire_owned().await else { continue };
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, slot),
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                metrics::http_accept_errors().increment(1);
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Raises the soft limit of open files, which is often 1024, to the hard one.
pub fn raise_open_files_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        // macOS reports "unlimited" and refuses to set it.
        let target = hard.min(1 << 20);
        if soft < target { setrlimit(Resource::RLIMIT_NOFILE, target, hard) } else { Ok(()) }
    });
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use chrono::DateTime;
    use taskfold_event_log::FixedClock;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::Notify;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

    fn limits(total: u32, per_address: u32) -> ConnectionLimits {
        let number = |n| std::num::NonZeroU32::new(n).expect("not zero");
        let (total, per_address) = (number(total), number(per_address));
        ConnectionLimits { total, per_address }
    }

    fn clock() -> Clock {
        FixedClock::new(DateTime::UNIX_EPOCH.into()).clock()
    }

    #[tokio::test]
    async fn requests_in_progress_at_shutdown_are_completed() -> anyhow::Result<()> {
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
        let served = tokio::spawn(serve(listener, router, limits(10, 10), clock(), shutdown.clone()));

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
    async fn a_connection_above_the_limit_waits_for_a_slot() -> anyhow::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let shutdown = CancellationToken::new();
        let router = Router::new().route("/", get(async || "done"));
        let served = tokio::spawn(serve(listener, router, limits(1, 1), clock(), shutdown.clone()));

        let first = TcpStream::connect(address).await?;
        let mut second = TcpStream::connect(address).await?;
        second.write_all(REQUEST).await?;
        let mut answer = String::new();
        let early = tokio::time::timeout(Duration::from_millis(50), second.read_to_string(&mut answer)).await;
        assert!(early.is_err(), "answered although the only slot was taken");
        drop(first);
        second.read_to_string(&mut answer).await?;
        assert!(answer.ends_with("done"), "{answer}");
        shutdown.cancel();
        served.await?
    }

    #[tokio::test]
    async fn an_address_with_too_many_connections_is_refused_and_can_retry() -> anyhow::Result<()> {
        let listener = listen("127.0.0.1:0".parse()?)?;
        let address = listener.local_addr()?;
        let shutdown = CancellationToken::new();
        let router = Router::new().route("/", get(async || "done"));
        let served = tokio::spawn(serve(listener, router, limits(10, 1), clock(), shutdown.clone()));

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
        assert!(answer.contains("date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"), "{answer}");
        assert!(answer.ends_with('}') && answer.contains("\"code\":\"rate-limited\""), "{answer}");
        drop(first);
        while !ask().await?.ends_with("done") {
            tokio::task::yield_now().await;
        }
        shutdown.cancel();
        served.await?
    }
}
