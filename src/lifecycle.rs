//! End of the process: gracefully on the first signal, at once on the second, and as a whole when a component fails.

use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Limit of the shutdown, above that of the HTTP server for open connections.
const FINISH_LIMIT: Duration = Duration::from_secs(15);

/// Returns a token that the first SIGINT or SIGTERM cancels. The second one ends the process at once; embedded servers
/// then end by themselves.
pub fn on_signals() -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        tracing::info!("shutting down; a second signal ends the program at once");
        token.cancel();
        either(&mut interrupt, &mut terminate).await;
        tracing::warn!("second signal, ending at once");
        std::process::exit(130);
    });
    Ok(shutdown)
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Components of a process, which run and end together.
pub struct Components {
    shutdown: CancellationToken,
    running: JoinSet<(&'static str, anyhow::Result<()>)>,
}

impl Components {
    pub fn new(shutdown: CancellationToken) -> Self {
        Self { shutdown, running: JoinSet::new() }
    }

    /// Starts a component, which must end when the token is cancelled, and not before.
    pub fn spawn(&mut self, name: &'static str, component: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        self.running.spawn(async move { (name, component.await) });
    }

    /// Waits until all have ended. One that ends early, fails or panics ends the others, and is the error.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let mut failure = None;
        let mut limit = None;
        loop {
            let ended = match limit {
                None => tokio::select! {
                    ended = self.running.join_next() => ended,
                    () = self.shutdown.cancelled() => {
                        limit = Some(tokio::time::Instant::now() + FINISH_LIMIT);
                        continue;
                    }
                },
                Some(limit) => match tokio::time::timeout_at(limit, self.running.join_next()).await {
                    Ok(ended) => ended,
                    Err(_) => {
                        tracing::warn!(
                            left = self.running.len(),
                            "components did not finish in time, ending without them"
                        );
                        break;
                    }
                },
            };
            let Some(ended) = ended else { break };
            let problem = match ended {
                Ok((_, Ok(()))) if self.shutdown.is_cancelled() => continue,
                Ok((name, Ok(()))) => anyhow::anyhow!("{name} ended unexpectedly"),
                Ok((name, Err(error))) => error.context(format!("{name} failed")),
                Err(panic) => anyhow::Error::from(panic).context("a component panicked"),
            };
            tracing::error!(error = format!("{problem:#}"), "a component ended, shutting down");
            failure.get_or_insert(problem);
            self.shutdown.cancel();
        }
        failure.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_component_that_ends_unexpectedly_stops_the_others_and_is_the_failure() {
        let shutdown = CancellationToken::new();
        let mut components = Components::new(shutdown.clone());
        let token = shutdown.clone();
        components.spawn("patient", async move {
            token.cancelled().await;
            Ok(())
        });
        components.spawn("hasty", async { Ok(()) });
        let failure = components.run().await.expect_err("hasty ended").to_string();
        assert!(failure.contains("hasty"), "{failure}");
        assert!(shutdown.is_cancelled());
    }

    #[tokio::test]
    async fn components_that_end_on_request_are_a_success() {
        let shutdown = CancellationToken::new();
        let mut components = Components::new(shutdown.clone());
        let token = shutdown.clone();
        components.spawn("patient", async move {
            token.cancelled().await;
            Ok(())
        });
        shutdown.cancel();
        assert!(components.run().await.is_ok());
    }
}
