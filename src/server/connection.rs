//! One connection, of HTTP/1 or HTTP/2: its limits, and its handover to a stream.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::Response;
use futures::future::BoxFuture;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper::{Method, Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use taskfold_domain::Timestamp;
use taskfold_domain::limits::{
    FIRST_HEADERS_SECONDS, IDLE_CONNECTION_SECONDS, REQUEST_HEAD_BYTES, STALLED_RESPONSE_SECONDS,
};
use taskfold_event_log::{Clock, metrics};
use taskfold_live::{SocketStream, Takeover};
use taskfold_web::drain::UnreadBody;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::Slots;
use super::connection_error;
use super::header_timeout::{HeadReceived, HeaderTimeout, PREFACE};
use super::linger::linger;
use super::shared_socket::{SharedSocket, SocketWatch};
use super::write_timeout::WriteTimeout;

/// Limit from the start of a connection to the end of its first request head.
const FIRST_HEAD_LIMIT: Duration = Duration::from_secs(FIRST_HEADERS_SECONDS);
/// Limit of each later head, from the end of the previous response. Longer than load balancers keep an idle connection
/// (usually 60 s), so that they close it, and not the server while they send a request.
const NEXT_HEAD_LIMIT: Duration = Duration::from_secs(IDLE_CONNECTION_SECONDS);
/// Limit of a write that makes no progress.
const STALL_LIMIT: Duration = Duration::from_secs(STALLED_RESPONSE_SECONDS);
/// Time for a client to send the rest of a request body, and to read the response that came before its end.
const LINGER: Duration = Duration::from_secs(5);
/// Interval of looking for the rest of an incomplete preface.
const PEEK_PAUSE: Duration = Duration::from_millis(10);

/// Values that all connections share.
#[derive(Clone)]
pub(super) struct ConnectionContext {
    pub(super) router: Router,
    pub(super) clock: Clock,
    pub(super) open: TaskTracker,
    /// Requests that connections finish.
    pub(super) shutdown: CancellationToken,
    /// Requests that connections end at once.
    pub(super) abort: CancellationToken,
}

type Error = Box<dyn std::error::Error + Send + Sync>;
type Io = TokioIo<HeaderTimeout<WriteTimeout<SharedSocket>>>;

/// A stream that takes over the connection from HTTP, and the response head that is still to be sent.
struct Handover {
    stream: SocketStream,
    head: Vec<u8>,
}

impl ConnectionContext {
    /// Serves the connection in a task of its own, which holds its slots.
    pub(super) fn accept(&self, stream: TcpStream, peer: SocketAddr, slots: Slots) {
        let (context, guard) = (self.clone(), ConnectionGuard::new(slots));
        self.spawn(peer, async move {
            let Some((Handover { stream, head }, socket)) = context.serve(stream, peer).await? else { return Ok(()) };
            // A new task, so that the memory of HTTP is freed; boxed, because the future would else be stored several
            // times.
            context.spawn(
                peer,
                Box::pin(async move {
                    let served = stream.serve(socket, head).await;
                    drop(guard);
                    Ok(served?)
                }),
            );
            Ok(())
        });
    }

    fn spawn(&self, peer: SocketAddr, serving: impl Future<Output = Result<(), Error>> + Send + 'static) {
        let abort = self.abort.clone();
        self.open.spawn(async move {
            if let Some(Err(error)) = abort.run_until_cancelled(serving).await {
                let reason = connection_error::reason(&*error);
                metrics::http_connection_errors(reason).increment(1);
                // Clients disconnect all the time.
                tracing::debug!(%peer, reason, error, "connection ended with an error");
            }
        });
    }

    /// Serves requests until the connection ends, or until a stream takes over the socket.
    async fn serve(&self, stream: TcpStream, peer: SocketAddr) -> Result<Option<(Handover, TcpStream)>, Error> {
        // Responses and frames are small and complete when they are written; Nagle's algorithm would only delay them.
        let _ = stream.set_nodelay(true);
        let http2 = tokio::time::timeout(FIRST_HEAD_LIMIT, speaks_http2(&stream)).await??;
        let (head_received, handover) = (HeadReceived::default(), PendingHandover::default());
        let (socket, watch) = SharedSocket::new(stream);
        let io = TokioIo::new(HeaderTimeout::new(
            WriteTimeout::new(socket, STALL_LIMIT),
            FIRST_HEAD_LIMIT,
            head_received.clone(),
        ));
        let http1 = (!http2).then(|| Http1 { handover: handover.clone(), watch, clock: self.clock.clone() });
        let unread = Unread::default();
        let service =
            ConnectionService { router: self.router.clone(), peer, head_received, http1, unread: unread.clone() };
        if http2 {
            self.serve_http2(io, service).await?;
            return Ok(None);
        }
        self.serve_http1(io, service, &handover, &unread).await
    }

    async fn serve_http1(
        &self,
        io: Io,
        service: ConnectionService,
        handover: &PendingHandover,
        unread: &Unread,
    ) -> Result<Option<(Handover, TcpStream)>, Error> {
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(NEXT_HEAD_LIMIT).max_buf_size(REQUEST_HEAD_BYTES);
        // A client that has closed its side after a request still waits for the response (RFC 9112, 9.6).
        builder.half_close(true);
        let mut connection = builder.serve_connection(io, service);
        let mut finishing = false;
        let served = loop {
            tokio::select! {
                served = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break served,
                () = self.shutdown.cancelled(), if !finishing => {
                    finishing = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
            }
        };
        let parts = connection.into_parts();
        // It holds a reference to the socket.
        drop(parts.service);
        let mut io = parts.io.into_inner();
        if let Some(handover) = handover.take() {
            let socket = io.into_inner().into_inner().into_inner().ok_or("the socket of a stream is still in use")?;
            return Ok(Some((handover, reregistered(socket)?)));
        }
        served?;
        io.shutdown().await?;
        if unread.0.load(Ordering::Relaxed) {
            linger(io, LINGER).await;
        }
        Ok(None)
    }

    async fn serve_http2(&self, io: Io, service: ConnectionService) -> hyper::Result<()> {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(20))
            .max_concurrent_streams(250)
            .max_header_list_size(REQUEST_HEAD_BYTES as u32);
        let mut connection = pin!(builder.serve_connection(io, service));
        tokio::select! {
            served = connection.as_mut() => return served,
            () = self.shutdown.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    }
}

/// Registers the socket with the runtime again. Without that, the runtime keeps the waker of the previous task, and
/// with it all of the task's memory.
fn reregistered(socket: TcpStream) -> io::Result<TcpStream> {
    TcpStream::from_std(socket.into_std()?)
}

/// Peeks at what the client has sent, to tell HTTP/2 from HTTP/1.
async fn speaks_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut seen = [0; PREFACE.len()];
    loop {
        let count = stream.peek(&mut seen).await?;
        if count == 0 || seen[..count] != PREFACE[..count] {
            return Ok(false);
        }
        // No method of HTTP/1 begins like this.
        if count >= 4 {
            return Ok(true);
        }
        tokio::time::sleep(PEEK_PAUSE).await;
    }
}

/// Handover that a request has requested, for the loop of its connection.
#[derive(Clone, Default)]
struct PendingHandover(Arc<Mutex<Option<Handover>>>);

impl PendingHandover {
    fn put(&self, handover: Handover) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(handover);
    }

    fn take(&self) -> Option<Handover> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Flag that the connection was closed before the end of a request body.
#[derive(Clone, Default)]
struct Unread(Arc<AtomicBool>);

impl Unread {
    fn note(&self, answer: &Response) {
        if answer.extensions().get::<UnreadBody>().is_some() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// Service of one connection, with all routes.
struct ConnectionService {
    router: Router,
    peer: SocketAddr,
    head_received: HeadReceived,
    http1: Option<Http1>,
    unread: Unread,
}

/// State of an HTTP/1 connection, which has one response at a time.
#[derive(Clone)]
struct Http1 {
    handover: PendingHandover,
    watch: SocketWatch,
    clock: Clock,
}

/// Reason why HTTP sends no response.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// A stream has taken over the connection.
    #[error("the connection is now a stream")]
    TakenOver,
    #[error("the client has disconnected")]
    Disconnected,
}

impl Service<Request<Incoming>> for ConnectionService {
    type Response = Response;
    type Error = NoAnswer;
    type Future = BoxFuture<'static, Result<Response, NoAnswer>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        // Only the first request can be handed over: unsent data of an earlier response would be lost.
        let first = self.head_received.set();
        // A read is cancelled when its client disconnects; a command is completed.
        let http1 = self.http1.clone().filter(|_| request.method() == Method::GET);
        let is_http11 = request.version() == Version::HTTP_11;
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let answer = self.router.clone().oneshot(request.map(Body::new));
        let unread = self.unread.clone();
        Box::pin(async move {
            let Some(Http1 { handover, watch, clock }) = http1 else {
                let Ok(answer) = answer.await;
                unread.note(&answer);
                return Ok(answer);
            };
            let Ok(mut answer) = tokio::select! {
                biased;
                answer = answer => answer,
                () = watch.gone(), if is_http11 => return Err(NoAnswer::Disconnected),
            };
            unread.note(&answer);
            let Some(stream) = answer.extensions_mut().remove::<Takeover>() else { return Ok(answer) };
            if !first {
                return Ok(answer.map(|_| Body::from_stream(stream.body_on(watch.socket))));
            }
            match stream.on_socket() {
                Some(stream) => {
                    handover.put(Handover { stream, head: head(&answer, clock.now()) });
                    Err(NoAnswer::TakenOver)
                }
                None => Ok(answer),
            }
        })
    }
}

/// Encodes the head of a response (RFC 9112, 4) that is sent now.
pub(super) fn head(answer: &Response, now: Timestamp) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {}\r\n", answer.status()).into_bytes();
    for (name, value) in answer.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    let date = httpdate::fmt_http_date(now.utc().into());
    head.extend_from_slice(format!("date: {date}\r\nconnection: close\r\n\r\n").as_bytes());
    head
}

/// Counts a connection in the metric, and holds its slots.
struct ConnectionGuard {
    _slots: Slots,
}

impl ConnectionGuard {
    fn new(slots: Slots) -> Self {
        metrics::http_connections().increment(1);
        Self { _slots: slots }
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        metrics::http_connections().decrement(1);
    }
}
