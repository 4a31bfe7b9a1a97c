//! A proxy in front of a server, as a network that can fail.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// A proxy for a server: a network that can be cut, drop data, hold data, be slow, and be repaired.
#[derive(Clone)]
pub struct NetworkProxy {
    port: u16,
    /// User and password in the server's URL, with the `@` behind them.
    credentials: String,
    state: Arc<watch::Sender<State>>,
    opened: Arc<AtomicU64>,
}

#[derive(Clone, Copy, Default)]
struct State {
    /// Connections are closed, and no new ones are served.
    cut: bool,
    /// Connections with a lower number are open, and no data gets through.
    silent_below: u64,
    /// Sent data arrives when this is over.
    held: bool,
    /// Delay of each piece in both directions.
    delay: Duration,
}

#[derive(Clone)]
enum Target {
    Tcp(String),
    Socket(String),
}

impl NetworkProxy {
    pub async fn to_nats(nats_url: &str) -> Self {
        let server = nats_url.trim_start_matches("nats://");
        let at = server.find('@').map_or(0, |at| at + 1);
        let (credentials, address) = server.split_at(at);
        Self { credentials: credentials.to_owned(), ..Self::to(Target::Tcp(address.to_owned())).await }
    }

    pub async fn to_http(url: &str) -> Self {
        Self::to(Target::Tcp(url.trim_start_matches("http://").to_owned())).await
    }

    /// A proxy for a PostgreSQL on a Unix socket.
    pub async fn to_postgres(database_url: &str) -> Self {
        let options: PgConnectOptions = database_url.parse().unwrap();
        let folder = options.get_socket().expect("the tests' PostgreSQL is on a socket").display();
        Self::to(Target::Socket(format!("{folder}/.s.PGSQL.{}", options.get_port()))).await
    }

    async fn to(target: Target) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(watch::Sender::new(State::default()));
        let proxy = Self { port, credentials: String::new(), state, opened: Arc::default() };
        let serving = proxy.clone();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(serving.clone().carry(client, target.clone()));
            }
        });
        proxy
    }

    async fn carry(self, client: TcpStream, target: Target) {
        let number = self.opened.fetch_add(1, Ordering::SeqCst);
        let mut state = self.state.subscribe();
        if state.borrow_and_update().cut {
            return;
        }
        match target {
            Target::Tcp(address) => {
                let Ok(server) = TcpStream::connect(address).await else { return };
                between(client, server, number, state).await;
            }
            Target::Socket(path) => {
                let Ok(server) = UnixStream::connect(path).await else { return };
                between(client, server, number, state).await;
            }
        }
    }

    pub fn http_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn nats_url(&self) -> String {
        format!("nats://{}127.0.0.1:{}", self.credentials, self.port)
    }

    /// URL of the same database through this proxy.
    pub fn database_url(&self, database_url: &str) -> String {
        let options: PgConnectOptions = database_url.parse().unwrap();
        let (user, database) = (options.get_username(), options.get_database().unwrap());
        format!("postgresql://{user}@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    pub fn cut(&self) {
        self.state.send_modify(|state| state.cut = true);
    }

    /// Repairs the network. Connections that were silenced stay dead.
    pub fn repair(&self) {
        let opened = self.opened();
        self.state.send_modify(|state| {
            *state = State { silent_below: state.silent_below.min(opened), ..State::default() };
        });
    }

    /// Holds sent data until the repair.
    pub fn hold(&self) {
        self.state.send_modify(|state| state.held = true);
    }

    pub fn slow_down(&self, delay: Duration) {
        self.state.send_modify(|state| state.delay = delay);
    }

    /// Drops all data on the open connections; new ones work.
    pub fn silence_open_connections(&self) {
        self.state.send_modify(|state| state.silent_below = self.opened());
    }

    /// Drops all data, also on new connections, until the repair.
    pub fn silence(&self) {
        self.state.send_modify(|state| state.silent_below = u64::MAX);
    }

    fn opened(&self) -> u64 {
        self.opened.load(Ordering::SeqCst)
    }
}

async fn between(client: TcpStream, server: impl AsyncRead + AsyncWrite, number: u64, mut cut: watch::Receiver<State>) {
    let (mut silenced, state) = (cut.clone(), cut.clone());
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let passing = async {
        let upstream = pass(&mut from_client, &mut to_server, state.clone());
        tokio::try_join!(upstream, pass(&mut from_server, &mut to_client, state.clone()))
    };
    tokio::select! {
        _ = passing => return,
        _ = cut.wait_for(|state| state.cut) => return,
        _ = silenced.wait_for(|state| number < state.silent_below) => {}
    }
    // Both ends stay open and receive nothing, also after the repair: the sent data is lost.
    let _ = cut.wait_for(|state| state.cut).await;
}

/// Forwards data until the end of the connection.
async fn pass(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut state: watch::Receiver<State>,
) -> io::Result<()> {
    let mut buf = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buf).await?;
        let delay = state.wait_for(|state| !state.held).await.map_err(io::Error::other)?.delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buf[..read]).await?;
    }
}
