use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
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
use taskfold_event_log::metrics;
use taskfold_live::{SocketStream, Takeover};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::Place;
use super::header_timeout::{HeadReceived, HeaderTimeout, PREFACE};
use super::shared_socket::{Beside, SharedSocket};
use super::write_timeout::WriteTimeout;

/// For a new connection's first request to be there, up to the end of its head.
const FIRST_HEAD_LIMIT: Duration = Duration::from_secs(10);
/// For each later one, from the end of the answer before it. Longer than balancers keep an idle connection (60 s is
/// usual), so that it is they who close it, and never we while they send.
const NEXT_HEAD_LIMIT: Duration = Duration::from_secs(75);
/// For a client to take something of an answer that is ready for them.
const STALL_LIMIT: Duration = Duration::from_secs(60);
const HEAD_BYTES: usize = 64 * 1024;
/// A byte or two of a preface are no reason to look without a pause.
const PEEK_PAUSE: Duration = Duration::from_millis(10);

/// What all connections have in common.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) router: Router,
    pub(super) open: TaskTracker,
    /// Finish what is under way.
    pub(super) shutdown: CancellationToken,
    /// End at once.
    pub(super) abort: CancellationToken,
}

type Error = Box<dyn std::error::Error + Send + Sync>;
type Io = TokioIo<HeaderTimeout<WriteTimeout<SharedSocket>>>;

/// A stream for which HTTP gives its connection up, and the head of the answer that is still to be sent.
struct Handover {
    stream: SocketStream,
    head: Vec<u8>,
}

impl Door {
    /// Serves the connection in a task of its own; `place` is its place among all.
    pub(super) fn open_to(&self, stream: TcpStream, peer: SocketAddr, place: Place) {
        let (door, counted) = (self.clone(), Counted::new(place));
        self.spawn(async move {
            let Some((Handover { stream, head }, socket)) = door.serve(stream, peer).await? else { return Ok(()) };
            // A task of its own, so that what HTTP needed is given back; boxed, or it would be as large as all that moves it.
            door.spawn(Box::pin(async move {
                let served = stream.serve(socket, head).await;
                drop(counted);
                Ok(served?)
            }));
            Ok(())
        });
    }

    fn spawn(&self, serving: impl Future<Output = Result<(), Error>> + Send + 'static) {
        let abort = self.abort.clone();
        self.open.spawn(async move {
            if let Some(Err(error)) = abort.run_until_cancelled(serving).await {
                // Clients go away all the time; that is no news.
                tracing::debug!(error, "connection ended with an error");
            }
        });
    }

    /// Answers requests until the connection ends, or one of them asks for a stream that goes on on the bare socket.
    async fn serve(&self, stream: TcpStream, peer: SocketAddr) -> Result<Option<(Handover, TcpStream)>, Error> {
        // Answers and events are small and complete when they are written: waiting for more only delays them.
        let _ = stream.set_nodelay(true);
        let http2 = tokio::time::timeout(FIRST_HEAD_LIMIT, speaks_http2(&stream)).await??;
        let (heard, asked) = (HeadReceived::default(), Asked::default());
        let (socket, beside) = SharedSocket::new(stream);
        let io =
            TokioIo::new(HeaderTimeout::new(WriteTimeout::new(socket, STALL_LIMIT), FIRST_HEAD_LIMIT, heard.clone()));
        let http1 = (!http2).then(|| Http1 { asked: asked.clone(), beside });
        let site = Site { router: self.router.clone(), peer, heard, http1 };
        if http2 {
            self.serve_http2(io, site).await?;
            return Ok(None);
        }
        self.serve_http1(io, site, &asked).await
    }

    async fn serve_http1(&self, io: Io, site: Site, asked: &Asked) -> Result<Option<(Handover, TcpStream)>, Error> {
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(NEXT_HEAD_LIMIT).max_buf_size(HEAD_BYTES);
        // Who has closed their side after a whole request still waits for the answer (RFC 9112, 9.6).
        builder.half_close(true);
        let mut connection = builder.serve_connection(io, site);
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
        // It shares the socket.
        drop(parts.service);
        let mut io = parts.io.into_inner();
        if let Some(handover) = asked.take() {
            let socket = io.into_inner().into_inner().into_inner().ok_or("the socket of a stream is still in use")?;
            return Ok(Some((handover, anew(socket)?)));
        }
        served?;
        io.shutdown().await?;
        Ok(None)
    }

    async fn serve_http2(&self, io: Io, site: Site) -> hyper::Result<()> {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(20))
            .max_concurrent_streams(250)
            .max_header_list_size(64 * 1024);
        let mut connection = pin!(builder.serve_connection(io, site));
        tokio::select! {
            served = connection.as_mut() => return served,
            () = self.shutdown.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    }
}

/// The same socket, of which the runtime knows nothing yet: else it would keep the waker of the task that had it, and with that all
/// of the task's memory.
fn anew(socket: TcpStream) -> io::Result<TcpStream> {
    TcpStream::from_std(socket.into_std()?)
}

/// Looks at what the client has sent, and takes nothing of it.
async fn speaks_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut seen = [0; PREFACE.len()];
    loop {
        let count = stream.peek(&mut seen).await?;
        if count == 0 || seen[..count] != PREFACE[..count] {
            return Ok(false);
        }
        // No method of HTTP/1 begins so.
        if count >= 4 {
            return Ok(true);
        }
        tokio::time::sleep(PEEK_PAUSE).await;
    }
}

/// What a request has asked for, on its way to the connection's loop.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Option<Handover>>>);

impl Asked {
    fn put(&self, handover: Handover) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(handover);
    }

    fn take(&self) -> Option<Handover> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// All routes, for one connection.
struct Site {
    router: Router,
    peer: SocketAddr,
    heard: HeadReceived,
    http1: Option<Http1>,
}

/// What HTTP/1 has, whose connections have one answer at a time.
#[derive(Clone)]
struct Http1 {
    asked: Asked,
    beside: Beside,
}

/// Why HTTP does not answer.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    /// The connection goes on without it.
    #[error("the connection is now a stream")]
    TakenOver,
    #[error("the client is gone")]
    Gone,
}

impl Service<Request<Incoming>> for Site {
    type Response = Response;
    type Error = NoAnswer;
    type Future = BoxFuture<'static, Result<Response, NoAnswer>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        // Only of the first request: what HTTP has not sent yet of an earlier answer would be lost.
        let first = self.heard.set();
        // What is asked for may be given up when nobody waits for it any more; a command goes on to its end.
        let http1 = self.http1.clone().filter(|_| request.method() == Method::GET);
        let is_http11 = request.version() == Version::HTTP_11;
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let answer = self.router.clone().oneshot(request.map(Body::new));
        Box::pin(async move {
            let Some(Http1 { asked, beside }) = http1 else {
                let Ok(answer) = answer.await;
                return Ok(answer);
            };
            let Ok(mut answer) = tokio::select! {
                biased;
                answer = answer => answer,
                () = beside.gone(), if is_http11 => return Err(NoAnswer::Gone),
            };
            let Some(stream) = answer.extensions_mut().remove::<Takeover>() else { return Ok(answer) };
            if !first {
                return Ok(answer.map(|_| Body::from_stream(stream.body_on(beside.socket))));
            }
            match stream.on_socket() {
                Some(stream) => {
                    asked.put(Handover { stream, head: head(&answer) });
                    Err(NoAnswer::TakenOver)
                }
                None => Ok(answer),
            }
        })
    }
}

/// As it is written (RFC 9112, 4).
pub(super) fn head(answer: &Response) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {}\r\n", answer.status()).into_bytes();
    for (name, value) in answer.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    let now = httpdate::fmt_http_date(taskfold_event_log::clock::now().utc().into());
    head.extend_from_slice(format!("date: {now}\r\nconnection: close\r\n\r\n").as_bytes());
    head
}

/// A connection among those that are counted, and its place.
struct Counted {
    _place: Place,
}

impl Counted {
    fn new(place: Place) -> Self {
        metrics::http_connections().increment(1);
        Self { _place: place }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::http_connections().decrement(1);
    }
}
