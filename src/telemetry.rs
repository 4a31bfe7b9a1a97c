//! Telemetry: logs to standard error, metrics for Prometheus.

use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use taskfold_event_log::metrics;
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, Settings};

/// Buckets of durations, from a quarter of a millisecond to ten seconds: an append takes 1 ms, a long poll 30 s.
const SECONDS: [f64; 14] =
    [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Buckets of batch sizes.
const COUNTS: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Starts logs and metrics. Called once in a process, inside the runtime.
pub fn init(settings: &Settings) -> anyhow::Result<PrometheusHandle> {
    let logs = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&settings.log)?)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    match settings.log_format {
        LogFormat::Text => logs.try_init(),
        LogFormat::Json => logs.json().try_init(),
    }
    .map_err(|error| anyhow::anyhow!("starting the log output: {error}"))?;

    let recorded = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)?
        .set_buckets(&COUNTS)?
        .install_recorder()?;
    metrics::describe();
    let upkeep = recorded.clone();
    tokio::spawn(async move {
        // Without upkeep, histograms grow until the next scrape.
        let mut every = tokio::time::interval(Duration::from_secs(5));
        loop {
            every.tick().await;
            upkeep.run_upkeep();
        }
    });
    Ok(recorded)
}
