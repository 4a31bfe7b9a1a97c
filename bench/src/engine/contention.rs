//! Engine measurements under contention: many clients on one aggregate, and several engines on one log.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::try_join_all;
use serde_json::{Value, json};
use taskfold_domain::ids::TaskId;
use taskfold_domain::project::Column;
use taskfold_domain::{ProjectCommand, TaskCommand};

use super::{Measured, Ours, Takes, creating, engine, measure, rates};
use crate::clock::clock;
use crate::statistics::{figure, median, spread};
use crate::system::System;

const CLIENTS: usize = 32;
/// Numbers of clients for several engines: few and many commands per batch in each engine.
const CLIENTS_OF_ALL: [usize; 2] = [CLIENTS, 128];

/// All clients on one task, on the settings of one project, and at the top of one column.
pub async fn spots(ours: &Ours, seconds: u64, runs: usize) -> anyhow::Result<Vec<Value>> {
    println!("\n{CLIENTS} clients at one spot | commands/s | p99 ms");
    let task = TaskId(clock().new_id());
    ours.create(task, "the one".to_owned()).await?;
    let column = ours.engine.load_project(ours.project).await?.board().map(|board| board.fields.columns.clone());
    let column = column.and_then(|columns| columns.first().map(|column: &Column| column.id));
    let cards: Vec<TaskId> = (0..CLIENTS + 1).map(|_| TaskId(clock().new_id())).collect();
    try_join_all(cards.iter().map(|card| ours.create(*card, "a card".to_owned()))).await?;
    let [mut tasks, mut projects, mut columns] = [const { Vec::new() }; 3];
    for _ in 0..runs {
        let mine = ours.clone();
        let one_task = move |n| {
            let ours = mine.clone();
            async move { ours.rename(task, format!("renamed {n}")).await }
        };
        tasks.push(measure(CLIENTS, seconds, one_task).await?);
        let mine = ours.clone();
        let one_project = move |n| {
            let ours = mine.clone();
            async move {
                let edit = json!({"type": "project.edit", "data": {"name": format!("renamed {n}")}});
                let edit: ProjectCommand = serde_json::from_value(edit)?;
                ours.engine.project(ours.project, edit, ours.envelope(None)).await?;
                anyhow::Ok(())
            }
        };
        projects.push(measure(CLIENTS, seconds, one_project).await?);
        // Each client moves its own card to the position above the same target card.
        let (mine, last) = (ours.clone(), cards[CLIENTS]);
        let cards = cards.clone();
        let one_column = move |n: usize| {
            let (ours, card) = (mine.clone(), cards[n % CLIENTS]);
            async move {
                let to = json!({"type": "task.move", "data": {"column_id": column, "before": last}});
                let to: TaskCommand = serde_json::from_value(to)?;
                ours.engine.task(card, to, ours.envelope(None)).await?;
                anyhow::Ok(())
            }
        };
        columns.push(measure(CLIENTS, seconds, one_column).await?);
    }
    let spots = [("one task", tasks), ("one project", projects), ("one rank in a column", columns)];
    Ok(spots.iter().map(|(spot, measured)| print_row(spot, measured)).collect())
}

/// Distributes the clients over several engines.
pub async fn engines(system: &System, seconds: u64, runs: usize) -> anyhow::Result<Vec<Value>> {
    // A project without history.
    let first = Ours::new(system).await?;
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(Ours { engine: engine(system).await?, ..first.clone() });
    }
    let all: Arc<[Ours]> = all.into();
    println!("\nengines on one log, for clients that create | commands/s | p99 ms");
    let mut rows = Vec::new();
    for clients in CLIENTS_OF_ALL {
        let mut results = [1, 2, 4].map(|engines| (engines, Vec::new()));
        for _ in 0..runs {
            for (engines, measured) in &mut results {
                let spread = Spread { all: all[..*engines].into(), next: Arc::default() };
                measured.push(creating(&spread, clients, seconds).await?);
            }
        }
        rows.extend(
            results.iter().map(|(engines, measured)| print_row(&format!("{engines} for {clients} clients"), measured)),
        );
    }
    Ok(rows)
}

fn print_row(at: &str, measured: &[Measured]) -> Value {
    let (rates, p99) = (rates(measured), measured.iter().map(|m| m.p99_ms).collect::<Vec<f64>>());
    println!("{at} | {} | {:.2}", spread(&rates, 0), median(p99.clone()));
    json!({"at": at, "commands_per_second": figure(&rates), "p99_ms": figure(&p99)})
}

/// Several engines, used round-robin.
#[derive(Clone)]
struct Spread {
    all: Arc<[Ours]>,
    next: Arc<AtomicUsize>,
}

impl Spread {
    fn next(&self) -> &Ours {
        &self.all[self.next.fetch_add(1, Ordering::Relaxed) % self.all.len()]
    }
}

impl Takes for Spread {
    async fn create(&self, task: TaskId, title: String) -> anyhow::Result<()> {
        self.next().create(task, title).await
    }

    async fn rename(&self, task: TaskId, title: String) -> anyhow::Result<()> {
        self.next().rename(task, title).await
    }
}
