//! Listeners in child processes, one process for each plan.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::child_process::{Progress, Request};
use super::event_loop::Report;
use super::threads::Plan;

/// Interval of polling the progress of the listeners.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Listeners in child processes, one for each plan: a process can open 20,000 files at most, which is fewer than the
/// listeners of two servers need. They begin to connect when this is created, and end when it is dropped.
pub struct ListenerProcesses {
    processes: Vec<ListenerProcess>,
    listeners: usize,
    began: Instant,
}

struct ListenerProcess {
    process: Child,
    requests: ChildStdin,
    responses: Lines<BufReader<ChildStdout>>,
}

impl ListenerProcesses {
    pub async fn start(plans: &[Plan]) -> anyhow::Result<Self> {
        let began = Instant::now();
        let mut processes = Vec::new();
        for plan in plans {
            processes.push(ListenerProcess::start(plan).await?);
        }
        Ok(Self { processes, listeners: plans.iter().map(|plan| plan.listeners.len()).sum(), began })
    }

    pub fn pids(&self) -> impl Iterator<Item = u32> {
        self.processes.iter().filter_map(|child| child.process.id())
    }

    /// Waits until all listeners have received `hello`; returns the time since the beginning.
    pub async fn until_connected(&mut self, limit: Duration) -> anyhow::Result<Duration> {
        let all = self.listeners;
        self.until("listeners are connected", all as u64, limit, |progress| progress.connected as u64).await?;
        Ok(self.began.elapsed())
    }

    pub async fn until_changes(&mut self, expected: u64, limit: Duration) -> anyhow::Result<()> {
        self.until("frames came", expected, limit, |progress| progress.changes).await
    }

    async fn until(
        &mut self,
        what: &str,
        expected: u64,
        limit: Duration,
        count: impl Fn(&Progress) -> u64,
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let reached: u64 = self.progress().await?.iter().map(&count).sum();
            if reached >= expected {
                return Ok(());
            }
            if began.elapsed() > limit {
                bail!("{reached} of {expected} {what} after {limit:?}");
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Fails if a listener failed or lost its connection.
    pub async fn check(&mut self) -> anyhow::Result<()> {
        self.progress().await.map(drop)
    }

    /// Collects the reports of all listeners up to now.
    pub async fn report(&mut self) -> anyhow::Result<Report> {
        let mut reports = self.ask::<Report>(Request::Report).await?.into_iter();
        let mut all = reports.next().context("no listeners")?;
        for report in reports {
            all.add(report)?;
        }
        Ok(all)
    }

    async fn progress(&mut self) -> anyhow::Result<Vec<Progress>> {
        let all = self.ask::<Progress>(Request::Progress).await?;
        match all.iter().find_map(|progress| progress.failure.clone()) {
            Some(failure) => bail!(failure),
            None => Ok(all),
        }
    }

    async fn ask<T: DeserializeOwned>(&mut self, request: Request) -> anyhow::Result<Vec<T>> {
        let mut responses = Vec::new();
        for child in &mut self.processes {
            responses.push(child.ask(request).await?);
        }
        Ok(responses)
    }
}

impl ListenerProcess {
    async fn start(plan: &Plan) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("listener-process")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let requests = process.stdin.take().context("no stdin")?;
        let responses = BufReader::new(process.stdout.take().context("no stdout")?).lines();
        let mut child = Self { process, requests, responses };
        child.send(&serde_json::to_string(plan)?).await?;
        Ok(child)
    }

    async fn ask<T: DeserializeOwned>(&mut self, request: Request) -> anyhow::Result<T> {
        self.send(&serde_json::to_string(&request)?).await?;
        let response = self.responses.next_line().await?.context("a process that holds listeners has ended")?;
        Ok(serde_json::from_str(&response)?)
    }

    async fn send(&mut self, line: &str) -> anyhow::Result<()> {
        let written = self.requests.write_all(format!("{line}\n").as_bytes()).await;
        written.context("a process that holds listeners has ended")
    }
}
