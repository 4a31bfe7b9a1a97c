use std::time::Duration;

use hdrhistogram::Histogram;

const LONGEST: Duration = Duration::from_secs(600);

/// In microseconds, exact to a thousandth.
#[derive(Clone)]
pub struct Latencies(Histogram<u64>);

impl Latencies {
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, LONGEST.as_micros() as u64, 3)?))
    }

    pub fn record(&mut self, took: Duration) {
        self.0.saturating_record(took.as_micros() as u64);
    }

    pub fn add(&mut self, others: &Self) -> anyhow::Result<()> {
        Ok(self.0.add(&others.0)?)
    }

    /// Those that were there before.
    pub fn take_away(&mut self, earlier: &Self) -> anyhow::Result<()> {
        Ok(self.0.subtract(&earlier.0)?)
    }

    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// In milliseconds: the value below which this share lies.
    pub fn at(&self, share: f64) -> f64 {
        self.0.value_at_quantile(share) as f64 / 1000.0
    }

    pub fn max(&self) -> f64 {
        self.0.max() as f64 / 1000.0
    }
}
