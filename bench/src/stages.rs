//! Measures the stages between a command and its frame by observing the notifications between the components.

use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt as _;
use sqlx::postgres::PgListener;
use tokio::task::JoinSet;

use crate::listeners::{Latencies, Report};
use crate::monotonic;
use crate::publisher::Published;
use crate::system::System;

/// Notification channels that carry the position of the log and of the read tables.
const APPENDED: &str = "taskfold_events";
const PROJECTED: &str = "taskfold_projected";
const PUBLISHED: &str = "taskfold.events.>";

/// Positions that were reached, with their times.
type Reached = Arc<Mutex<Vec<(u64, u64)>>>;

/// Listens to the notifications between the components of the system.
#[derive(Default)]
pub struct Stages {
    committed: Reached,
    projected: Reached,
    published: Reached,
    watching: JoinSet<()>,
}

/// Times from sending a command to each stage.
#[derive(Clone)]
pub struct StageLatencies(pub Vec<(&'static str, Latencies)>);

impl Stages {
    pub async fn watch(system: &System) -> anyhow::Result<Self> {
        let mut stages = Self::default();
        for (channel, reached) in [(APPENDED, &stages.committed), (PROJECTED, &stages.projected)] {
            let mut listener = PgListener::connect(&system.database_url()?).await?;
            listener.listen(channel).await?;
            let reached = Arc::clone(reached);
            stages.watching.spawn(async move {
                while let Ok(notice) = listener.recv().await {
                    note(&reached, notice.payload().parse().ok());
                }
            });
        }
        let nats = system.nats().await?;
        let mut messages = nats.subscribe(PUBLISHED).await?;
        nats.flush().await?;
        let reached = Arc::clone(&stages.published);
        stages.watching.spawn(async move {
            while let Some(message) = messages.next().await {
                let position = message.headers.as_ref().and_then(|headers| headers.get("ce-sequence"));
                note(&reached, position.and_then(|position| position.as_str().parse().ok()));
            }
        });
        Ok(stages)
    }

    /// Percentiles of each stage, measured from the send times of the commands.
    pub fn latencies(mut self, published: &[Published], report: &Report) -> anyhow::Result<StageLatencies> {
        self.watching.abort_all();
        let replied = published.iter().map(|p| (p.sent, p.replied));
        let frame = |p: &Published| report.reached.get(&p.sent).copied().unwrap_or_default();
        let first = published.iter().map(|p| (p.sent, frame(p).0));
        let last = published.iter().map(|p| (p.sent, frame(p).1));
        let [committed, projected, sent_on] =
            [&self.committed, &self.projected, &self.published].map(|reached| when(reached, published));
        let behind_the_log = |reached: &[(u64, u64)]| {
            since(committed.iter().zip(reached).map(|((_, committed), (_, at))| (*committed, *at)))
        };
        let (read_tables, stream) = (behind_the_log(&projected)?, behind_the_log(&sent_on)?);
        Ok(StageLatencies(vec![
            ("commit visible", since(committed)?),
            ("append replied", since(replied)?),
            ("projected", since(projected)?),
            ("published", since(sent_on)?),
            ("first socket", since(first)?),
            ("last socket", since(last)?),
            ("projected, from the commit on", read_tables),
            ("published, from the commit on", stream),
        ]))
    }
}

fn note(reached: &Reached, position: Option<u64>) {
    if let Some(position) = position {
        reached.lock().unwrap_or_else(PoisonError::into_inner).push((position, monotonic::now()));
    }
}

/// Pairs of the send time of a command and the time at which its position was reached.
fn when(reached: &Reached, published: &[Published]) -> Vec<(u64, u64)> {
    let mut reached = reached.lock().unwrap_or_else(PoisonError::into_inner).clone();
    reached.sort_unstable();
    let at = |position| reached.get(reached.partition_point(|(upto, _)| *upto < position)).map_or(0, |(_, at)| *at);
    published.iter().map(|p| (p.sent, at(p.position))).collect()
}

/// Durations of those that were sent and reached.
fn since(times: impl IntoIterator<Item = (u64, u64)>) -> anyhow::Result<Latencies> {
    let mut latencies = Latencies::new()?;
    for (from, at) in times.into_iter().filter(|(from, at)| *from > 0 && *at > 0) {
        latencies.record(monotonic::between(from, at));
    }
    Ok(latencies)
}
