//! All listeners of a process, on several threads.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use serde::{Deserialize, Serialize};

use super::child_process;
use super::event_loop::{EventLoop, Progress, Reconnect, Report, ThreadRequest};

/// Channels, addresses and tokens of all listeners.
#[derive(Serialize, Deserialize)]
pub struct Plan {
    pub addresses: Vec<SocketAddr>,
    pub channels: Vec<Channel>,
    pub tokens: Vec<String>,
    pub listeners: Vec<Listener>,
    /// Limit of connections being opened at one time.
    pub at_once: usize,
    pub threads: usize,
    pub reconnect: Reconnect,
}

/// A stream that several listeners open.
#[derive(Serialize, Deserialize)]
pub struct Channel {
    pub path: String,
    /// Indexes of the projects whose events it carries.
    pub projects: Vec<usize>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Listener {
    pub channel: usize,
    pub token: usize,
    /// Local address of the connection.
    pub from: Ipv4Addr,
}

/// All listeners, on threads of their own, which begin to connect when this is created.
pub struct Listeners {
    plan: Arc<Plan>,
    progress: Arc<Progress>,
    began: Instant,
    threads: Vec<(JoinHandle<()>, Sender<ThreadRequest>, Arc<mio::Waker>)>,
}

impl Listeners {
    pub fn start(plan: Plan) -> anyhow::Result<Self> {
        let (plan, progress) = (Arc::new(plan), Arc::new(Progress::default()));
        let began = Instant::now();
        let mut threads = Vec::new();
        for number in 0..plan.threads.max(1) {
            let (sender, requests) = channel();
            let (event_loop, waker) = EventLoop::new(Arc::clone(&plan), number, Arc::clone(&progress), requests)?;
            let thread =
                std::thread::Builder::new().name(format!("listeners-{number}")).spawn(move || event_loop.run())?;
            threads.push((thread, sender, waker));
        }
        Ok(Self { plan, progress, began, threads })
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Number of listeners that have received `hello` and are connected.
    pub fn connected(&self) -> usize {
        self.progress.connected.load(Ordering::Relaxed)
    }

    /// Number of Changes received by all listeners together.
    pub fn changes(&self) -> u64 {
        self.progress.changes.load(Ordering::Relaxed)
    }

    pub fn progress(&self) -> child_process::Progress {
        child_process::Progress {
            connected: self.connected(),
            changes: self.changes(),
            failure: self.progress.failure(),
        }
    }

    /// Waits until all listeners have received `hello`; returns the time since the beginning.
    pub async fn until_connected(&self, limit: Duration) -> anyhow::Result<Duration> {
        let (all, began) = (self.plan.listeners.len(), Instant::now());
        while self.connected() < all {
            self.check()?;
            ensure!(began.elapsed() < limit, "{} of {all} listeners are connected after {limit:?}", self.connected());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.check()?;
        Ok(self.began.elapsed())
    }

    /// Fails if a listener failed, or lost its connection although the plan does not allow it.
    pub fn check(&self) -> anyhow::Result<()> {
        match self.progress.failure() {
            Some(failure) => Err(anyhow!(failure)),
            None => Ok(()),
        }
    }

    /// Number of listeners that are connected and served up to these positions, one for each channel.
    pub fn reached(&self, positions: Vec<u64>) -> anyhow::Result<usize> {
        let positions = Arc::new(positions);
        let counts = self.ask(|answer| ThreadRequest::Reached(Arc::clone(&positions), answer))?;
        Ok(counts.into_iter().sum())
    }

    /// Collects the reports of all listeners up to now.
    pub fn report(&self) -> anyhow::Result<Report> {
        let mut reports = self.ask(ThreadRequest::Report)?.into_iter();
        let mut all = reports.next().context("no listeners")?;
        for report in reports {
            all.add(report)?;
        }
        Ok(all)
    }

    fn ask<T>(&self, request: impl Fn(Sender<T>) -> ThreadRequest) -> anyhow::Result<Vec<T>> {
        let mut answers = Vec::new();
        for (_, sender, waker) in &self.threads {
            let (answer, answered) = channel();
            sender.send(request(answer)).map_err(|_| anyhow!("a thread of listeners has ended"))?;
            waker.wake()?;
            answers.push(answered.recv().context("a thread of listeners has ended")?);
        }
        Ok(answers)
    }
}

impl Drop for Listeners {
    /// Closes all connections.
    fn drop(&mut self) {
        for (_, sender, waker) in &self.threads {
            let _ = sender.send(ThreadRequest::End);
            let _ = waker.wake();
        }
        for (thread, ..) in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
