use std::io::Write as _;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::swarm::Swarm;

/// What a holder is asked, a line each.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub enum Question {
    Progress,
    Report,
}

/// How far its listeners are.
#[derive(Serialize, Deserialize)]
pub struct Progress {
    pub connected: usize,
    pub changes: u64,
    /// The first one.
    pub failure: Option<String>,
}

/// Holds the listeners of the plan that is the first line of stdin, and answers every line behind it with one of JSON.
/// Ends with stdin, so that it does not outlive who started it.
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
