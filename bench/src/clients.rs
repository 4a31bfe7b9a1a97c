use std::time::{Duration, Instant};

use futures::future::try_join_all;

use crate::client::Client;

/// What one measurement came to.
pub struct Measured {
    pub rate: f64,
    /// Sorted.
    pub latencies: Vec<Duration>,
}

/// Each client makes what it needs, and then asks one thing after the other, with the numbers `client`, `client + clients`, and so on.
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
        let mut latencies = Vec::new();
        let mut n = client;
        while Instant::now() < until {
            let asked = Instant::now();
            ask(&mut connection, n).await?;
            latencies.push(asked.elapsed());
            n += clients;
        }
        anyhow::Ok(latencies)
    });
    let mut latencies: Vec<Duration> = try_join_all(each).await?.into_iter().flatten().collect();
    let rate = latencies.len() as f64 / began.elapsed().as_secs_f64();
    latencies.sort_unstable();
    Ok(Measured { rate, latencies })
}

/// A request, by its number: method, path, body.
pub type Request = Box<dyn Fn(usize) -> (&'static str, String, String)>;

/// The same with requests, each client on a connection of its own.
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
