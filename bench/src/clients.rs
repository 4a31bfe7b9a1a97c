//! Concurrent clients that send one request after the other, and the rate and latencies that result.

use std::time::{Duration, Instant};

use futures::future::try_join_all;

use crate::client::Client;

/// Result of one measurement.
pub struct Measured {
    pub rate: f64,
    /// Response times in ascending order.
    pub latencies: Vec<Duration>,
}

impl Measured {
    fn since(began: Instant, latencies: Vec<Vec<Duration>>) -> Self {
        let mut latencies = latencies.concat();
        let rate = latencies.len() as f64 / began.elapsed().as_secs_f64();
        latencies.sort_unstable();
        Self { rate, latencies }
    }
}

/// Records the response times of one client.
struct Watch {
    until: Instant,
    latencies: Vec<Duration>,
}

impl Watch {
    fn new(until: Instant) -> Self {
        Self { until, latencies: Vec::new() }
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    async fn time(&mut self, answer: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
        let asked = Instant::now();
        answer.await?;
        self.latencies.push(asked.elapsed());
        Ok(())
    }
}

/// Runs all clients in one task. Each client connects and then sends one request after the other, with the numbers
/// `client`, `client + clients`, and so on.
pub async fn measure<C>(
    clients: usize,
    seconds: u64,
    connect: impl AsyncFn() -> anyhow::Result<C>,
    ask: impl AsyncFn(&mut C, usize) -> anyhow::Result<()>,
) -> anyhow::Result<Measured> {
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let (connect, ask) = (&connect, &ask);
    let each = (0..clients).map(|client| async move {
        let mut connection = connect().await?;
        let mut watch = Watch::new(until);
        for n in (client..).step_by(clients) {
            if watch.is_over() {
                break;
            }
            watch.time(ask(&mut connection, n)).await?;
        }
        anyhow::Ok(watch.latencies)
    });
    Ok(Measured::since(began, try_join_all(each).await?))
}

/// Runs each client in a task of its own, as a server runs requests, and without connections.
pub async fn measure_tasks<F>(
    clients: usize,
    seconds: u64,
    ask: impl Fn(usize) -> F + Clone + Send + 'static,
) -> anyhow::Result<Measured>
where
    F: Future<Output = anyhow::Result<()>> + Send,
{
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let each = (0..clients).map(|client| {
        let ask = ask.clone();
        tokio::spawn(async move {
            let mut watch = Watch::new(until);
            for n in (client..).step_by(clients) {
                if watch.is_over() {
                    break;
                }
                watch.time(ask(n)).await?;
            }
            anyhow::Ok(watch.latencies)
        })
    });
    let each: Vec<_> = try_join_all(each).await?.into_iter().collect::<anyhow::Result<_>>()?;
    Ok(Measured::since(began, each))
}

/// Builds the request with this number: method, path, body.
pub type Request = Box<dyn Fn(usize) -> (&'static str, String, String)>;

/// Like `measure`, with HTTP requests; each client has a connection of its own.
pub async fn through_http(
    address: &str,
    token: &str,
    clients: usize,
    seconds: u64,
    request: impl Fn(usize) -> (&'static str, String, String),
) -> anyhow::Result<Measured> {
    let send = async |connection: &mut Client, n| {
        let (method, path, body) = request(n);
        connection.send(method, &path, body).await?;
        Ok(())
    };
    measure(clients, seconds, async || Client::connect(address, token).await, send).await
}
