//! Listeners in child processes, one process for each plan.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::crowd::Report;
use super::holder::{Progress, Question};
use super::swarm::Plan;

/// Interval of polling the progress of the listeners.
const LOOK: Duration = Duration::from_millis(5);

/// Listeners in child processes, one for each plan: a process can open 20,000 files at most, which is fewer than the
/// listeners of two servers need. They begin to connect when this is created, and end when it is dropped.
pub struct Held {
    holders: Vec<Holder>,
    listeners: usize,
    began: Instant,
}

struct Holder {
    process: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Held {
    pub async fn start(plans: &[Plan]) -> anyhow::Result<Self> {
        let began = Instant::now();
        let mut holders = Vec::new();
        for plan in plans {
            holders.push(Holder::start(plan).await?);
        }
        Ok(Self { holders, listeners: plans.iter().map(|plan| plan.listeners.len()).sum(), began })
    }

    pub fn pids(&self) -> impl Iterator<Item = u32> {
        self.holders.iter().filter_map(|holder| holder.process.id())
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
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Fails if a listener failed or lost its connection.
    pub async fn check(&mut self) -> anyhow::Result<()> {
        self.progress().await.map(drop)
    }

    /// Collects the reports of all listeners up to now.
    pub async fn report(&mut self) -> anyhow::Result<Report> {
        let mut reports = self.ask::<Report>(Question::Report).await?.into_iter();
        let mut all = reports.next().context("no listeners")?;
        for report in reports {
            all.add(report)?;
        }
        Ok(all)
    }

    async fn progress(&mut self) -> anyhow::Result<Vec<Progress>> {
        let all = self.ask::<Progress>(Question::Progress).await?;
        match all.iter().find_map(|progress| progress.failure.clone()) {
            Some(failure) => bail!(failure),
            None => Ok(all),
        }
    }

    async fn ask<T: DeserializeOwned>(&mut self, question: Question) -> anyhow::Result<Vec<T>> {
        let mut answers = Vec::new();
        for holder in &mut self.holders {
            answers.push(holder.ask(question).await?);
        }
        Ok(answers)
    }
}

impl Holder {
    async fn start(plan: &Plan) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg("holder")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let questions = process.stdin.take().context("no stdin")?;
        let answers = BufReader::new(process.stdout.take().context("no stdout")?).lines();
        let mut holder = Self { process, questions, answers };
        holder.say(&serde_json::to_string(plan)?).await?;
        Ok(holder)
    }

    async fn ask<T: DeserializeOwned>(&mut self, question: Question) -> anyhow::Result<T> {
        self.say(&serde_json::to_string(&question)?).await?;
        let answer = self.answers.next_line().await?.context("a process that holds listeners has ended")?;
        Ok(serde_json::from_str(&answer)?)
    }

    async fn say(&mut self, line: &str) -> anyhow::Result<()> {
        let said = self.questions.write_all(format!("{line}\n").as_bytes()).await;
        said.context("a process that holds listeners is gone")
    }
}
