//! Costs of a command apart from the database: deciding, applying, folding a history, encoding, and making a rank.

#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up says so")]

use std::sync::Arc;

use divan::{Bencher, black_box};
use serde_json::{Value, json};
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_domain::task::{self, Origin};
use taskfold_domain::{
    Change, Event, Project, ProjectCommand, Rank, Subject, SubjectKind, Task, TaskCommand, TaskEvent, Timestamp,
    project,
};
use uuid::Uuid;

const OWNER: UserId = UserId(Uuid::from_u128(1));
const PROJECT: ProjectId = ProjectId(Uuid::from_u128(2));
const TASK: Uuid = Uuid::from_u128(3);

fn main() {
    divan::main();
}

fn at(second: i64) -> Timestamp {
    chrono::DateTime::from_timestamp(1_800_000_000 + second, 0).expect("a time").into()
}

fn board() -> Project {
    let context = project::Context {
        actor: OWNER,
        at: at(0),
        jitter: 7,
        id: PROJECT,
        fresh_id: Uuid::from_u128(10),
        origin: Origin::Live,
        teams: Vec::new(),
        template: None,
        invitation: None,
        teams_then: Vec::new(),
    };
    let create: ProjectCommand =
        serde_json::from_value(json!({"type": "project.create", "data": {"name": "P"}})).expect("a command");
    let mut project = Project::default();
    for event in project::decide(&project, &create, &context).expect("a project") {
        project.apply(&event);
    }
    project
}

fn command(kind: &str, data: Value) -> TaskCommand {
    serde_json::from_value(json!({"type": kind, "data": data})).expect("a command")
}

fn create() -> TaskCommand {
    command("task.create", json!({"title": "Ship it", "description": "x".repeat(400), "priority": "high"}))
}

fn decide(task: &Task, command: &TaskCommand, project: &Arc<Project>) -> Vec<TaskEvent> {
    let context = task::Context {
        actor: OWNER,
        at: at(1),
        project: Arc::clone(project),
        rank: None,
        end: Rank::at_end(at(1), 7),
        mentions: Vec::new(),
        fresh_id: Uuid::from_u128(11),
        origin: Origin::Live,
        teams: Vec::new(),
        other: None,
        comment: None,
        deleted_dependencies: 0,
    };
    task::decide(task, command, &context).expect("a decision")
}

/// A task, and the events that made it: its creation, and so many new titles.
fn history(titles: usize) -> (Task, Vec<TaskEvent>) {
    let project = Arc::new(board());
    let renames = (0..titles).map(|n| command("task.edit", json!({"title": format!("title {n}")})));
    let (mut task, mut log) = (Task::default(), Vec::new());
    for command in [create()].into_iter().chain(renames) {
        for event in decide(&task, &command, &project) {
            task.apply(&event);
            log.push(event);
        }
    }
    (task, log)
}

#[divan::bench]
fn decide_create(bencher: Bencher<'_, '_>) {
    let (project, create) = (Arc::new(board()), create());
    bencher.bench(|| decide(black_box(&Task::default()), &create, &project));
}

#[divan::bench]
fn decide_edit(bencher: Bencher<'_, '_>) {
    let (project, (task, _)) = (Arc::new(board()), history(0));
    let edit = command("task.edit", json!({"title": "another"}));
    bencher.bench(|| decide(black_box(&task), &edit, &project));
}

#[divan::bench]
fn apply_edit(bencher: Bencher<'_, '_>) {
    let (_, log) = history(1);
    let edit = log.last().expect("an edit");
    bencher.with_inputs(|| (history(0).0, edit.clone())).bench_values(|(mut task, edit)| {
        task.apply(&edit);
        task
    });
}

#[divan::bench(args = [1, 10, 100, 1000])]
fn fold(bencher: Bencher<'_, '_>, events: usize) {
    let (_, log) = history(events - 1);
    bencher.bench(|| {
        log.iter().fold(Task::default(), |mut task, event| {
            task.apply(event);
            task
        })
    });
}

#[divan::bench]
fn encode_change(bencher: Bencher<'_, '_>) {
    let (_, mut log) = history(0);
    let change = Change {
        position: 1042,
        version: 1,
        project_id: Some(PROJECT),
        subject: Subject { kind: SubjectKind::Task, id: TASK },
        actor_id: OWNER,
        command_id: Uuid::from_u128(4),
        occurred_at: at(1),
        recorded_at: at(1),
        event: Event::Task(log.swap_remove(0)),
    };
    bencher.bench(|| serde_json::to_string(black_box(&change)).expect("JSON"));
}

#[divan::bench]
fn decode_event(bencher: Bencher<'_, '_>) {
    let json = serde_json::to_string(&history(0).1[0]).expect("JSON");
    bencher.bench(|| serde_json::from_str::<TaskEvent>(black_box(&json)).expect("an event"));
}

#[divan::bench]
fn rank_between() -> Option<Rank> {
    let (lower, upper) = (Rank::at_end(at(1), 3), Rank::at_end(at(2), 5));
    Rank::between(black_box(Some(&lower)), black_box(Some(&upper)), at(3), 7)
}
