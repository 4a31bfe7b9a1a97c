//! Histogram of durations in a few kilobytes.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const LONGEST: Duration = Duration::from_secs(600);

/// Durations in microseconds, accurate to 0.1 %.
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

    /// Subtracts the values of an earlier histogram.
    pub fn take_away(&mut self, earlier: &Self) -> anyhow::Result<()> {
        Ok(self.0.subtract(&earlier.0)?)
    }

    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Value in milliseconds below which this share lies.
    pub fn at(&self, share: f64) -> f64 {
        self.0.value_at_quantile(share) as f64 / 1000.0
    }

    pub fn max(&self) -> f64 {
        self.0.max() as f64 / 1000.0
    }
}

/// Serialized as pairs of a value and its count.
impl Serialize for Latencies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())))
    }
}

impl<'de> Deserialize<'de> for Latencies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut latencies = Self::new().map_err(D::Error::custom)?;
        for (value, count) in Vec::<(u64, u64)>::deserialize(deserializer)? {
            latencies.0.saturating_record_n(value, count);
        }
        Ok(latencies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_of_another_process_is_read_unchanged() -> anyhow::Result<()> {
        let mut there = Latencies::new()?;
        (0..5000_u64).for_each(|n| there.record(Duration::from_micros(n * n)));
        let here: Latencies = serde_json::from_str(&serde_json::to_string(&there)?)?;
        assert_eq!((here.count(), here.max()), (there.count(), there.max()));
        for share in [0.0, 0.1, 0.5, 0.9, 0.99, 1.0] {
            assert_eq!(here.at(share).to_bits(), there.at(share).to_bits(), "{share}");
        }
        Ok(())
    }
}
