//! Child process that holds the listeners of one plan, controlled by lines on stdin.

use std::io::Write as _;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::swarm::Swarm;

/// Requests to a holder, one line each.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub enum Question {
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
    let swarm = Swarm::start(serde_json::from_str(&plan)?)?;
    let mut answers = std::io::stdout().lock();
    for line in lines {
        let answer = match serde_json::from_str(&line?)? {
            Question::Progress => serde_json::to_string(&swarm.progress())?,
            Question::Report => serde_json::to_string(&swarm.report()?)?,
        };
        writeln!(answers, "{answer}")?;
    }
    Ok(())
}
