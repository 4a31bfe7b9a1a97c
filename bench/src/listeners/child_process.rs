//! Child process with the listeners of one plan, controlled by lines on stdin.

use std::io::Write as _;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::threads::Listeners;

/// Requests to the process, one line each.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub enum Request {
    Progress,
    Report,
}

/// Progress of its listeners.
#[derive(Serialize, Deserialize)]
pub struct Progress {
    pub connected: usize,
    pub changes: u64,
    /// The first failure.
    pub failure: Option<String>,
}

/// Holds the listeners of the plan in the first line of stdin, and replies to every later line with one line of JSON.
/// Ends with stdin, so that it does not outlive its parent process.
pub fn run() -> anyhow::Result<()> {
    let mut lines = std::io::stdin().lines();
    let plan = lines.next().context("no plan")??;
    let listeners = Listeners::start(serde_json::from_str(&plan)?)?;
    let mut answers = std::io::stdout().lock();
    for line in lines {
        let answer = match serde_json::from_str(&line?)? {
            Request::Progress => serde_json::to_string(&listeners.progress())?,
            Request::Report => serde_json::to_string(&listeners.report()?)?,
        };
        writeln!(answers, "{answer}")?;
    }
    Ok(())
}
