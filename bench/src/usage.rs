//! CPU and memory of processes, as Linux accounts them.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context as _;

/// Unit of the times in /proc, on every architecture (proc(5), USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;
const PAGE: u64 = 4096;

/// Processes by name, each including its children.
#[derive(Clone)]
pub struct Watched(Vec<(String, u32)>);

/// CPU seconds since the start of each process, by name.
#[derive(Clone)]
pub struct Cpu(Vec<(String, f64)>);

struct Stat {
    parent: u32,
    /// Time of the process itself, with all its threads.
    own: f64,
    /// Time of children that have ended.
    ended: f64,
}

impl Watched {
    pub fn new(processes: impl IntoIterator<Item = (String, u32)>) -> Self {
        Self(processes.into_iter().collect())
    }

    pub fn cpu(&self) -> anyhow::Result<Cpu> {
        let all = all()?;
        let of = |(name, pid): &(String, u32)| {
            // The children of this program are the servers, which are listed by their own names.
            if *pid == std::process::id() {
                return (name.clone(), all.get(pid).map_or(0.0, |stat| stat.own));
            }
            let ended = all.get(pid).map_or(0.0, |stat| stat.ended);
            let living = all.iter().filter(|(child, _)| descends(&all, **child, *pid)).map(|(_, stat)| stat.own);
            (name.clone(), ended + living.sum::<f64>())
        };
        Ok(Cpu(self.0.iter().map(of).collect()))
    }
}

impl Cpu {
    /// CPU time used since an earlier measurement.
    pub fn since(&self, before: &Self) -> Vec<(String, f64)> {
        let used = self.0.iter().zip(&before.0).map(|((name, now), (_, before))| (name.clone(), now - before));
        used.collect()
    }
}

/// Memory of a process in bytes.
pub fn memory(pid: u32) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm"))?;
    Ok(text.split(' ').nth(1).context("statm")?.parse::<u64>()? * PAGE)
}

/// Memory in bytes of a process and its children.
pub fn memory_of_all(pid: u32) -> anyhow::Result<u64> {
    let all = all()?;
    let each = all.keys().filter(|child| descends(&all, **child, pid)).map(|child| memory(*child));
    // A process that has ended in the meantime has none.
    Ok(each.filter_map(Result::ok).sum())
}

/// Peak memory in bytes while `work` runs.
pub async fn peak_memory<T>(pid: u32, work: impl Future<Output = T>) -> anyhow::Result<(T, u64)> {
    let mut peak = memory(pid)?;
    let mut looking = tokio::time::interval(Duration::from_millis(20));
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return Ok((done, peak)),
            _ = looking.tick() => peak = peak.max(memory(pid)?),
        }
    }
}

pub fn kib(bytes: u64) -> f64 {
    bytes as f64 / 1024.0
}

fn all() -> anyhow::Result<HashMap<u32, Stat>> {
    let pids = std::fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(pids.filter_map(|pid| Some((pid, stat(pid)?))).collect())
}

/// Statistics of a process; `None` if it has ended.
fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Fields after the name, which may contain any character.
    let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
    let seconds = |index: usize| Some(fields.get(index)?.parse::<f64>().ok()? / TICKS_PER_SECOND);
    let (own, ended) = (seconds(11)? + seconds(12)?, seconds(13)? + seconds(14)?);
    Some(Stat { parent: fields.get(1)?.parse().ok()?, own, ended })
}

fn descends(all: &HashMap<u32, Stat>, mut pid: u32, ancestor: u32) -> bool {
    loop {
        if pid == ancestor {
            return true;
        }
        match all.get(&pid) {
            Some(stat) if stat.parent != 0 => pid = stat.parent,
            _ => return false,
        }
    }
}
