//! Medians, percentiles and ranges of measured values, for the console and for JSON.

use std::time::Duration;

use serde_json::{Value, json};

/// Value below which this share of the samples lies.
pub fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let index = ((sorted.len() as f64 - 1.0) * share).round() as usize;
    sorted.get(index).copied().unwrap_or_default()
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Formats values as `median (least to greatest)`.
pub fn spread(values: &[f64], digits: usize) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(0.0, f64::max);
    format!("{:.digits$} ({least:.digits$} to {greatest:.digits$})", median(values.to_vec()))
}

pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// JSON of a figure measured in several runs.
pub fn figure(values: &[f64]) -> Value {
    json!({"median": median(values.to_vec()), "runs": values})
}
