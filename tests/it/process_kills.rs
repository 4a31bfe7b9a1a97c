//! Every process is killed in turn while commands run, and no event may be lost, doubled or skipped.

use std::collections::{BTreeSet, HashMap};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use taskfold::databases::RoleUrls;
use taskfold_embedded::{Durability, Options, Stack};

use crate::harness::{Actor, Process, Sse, data_dir, eventually, new_id};

const WRITERS: usize = 6;
/// Run time of each process between two kills.
const BETWEEN: Duration = Duration::from_millis(1500);
/// Pause of a client after a failed request.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Sends commands until `stop` is set; each is repeated under its key until it is answered. Returns the acknowledged
/// ones.
async fn write(ada: Actor, project: String, stop: Arc<AtomicBool>) -> HashMap<String, i64> {
    let mut acknowledged = HashMap::new();
    let mut last_task: Option<String> = None;
    while !stop.load(Ordering::Relaxed) {
        let key = new_id().to_string();
        let (path, body) = match last_task.take() {
            None => (format!("/v1/projects/{project}/tasks"), json!({"title": key})),
            Some(task) => (format!("/v1/tasks/{task}/comments"), json!({"text": key})),
        };
        let made_task = path.ends_with("/tasks");
        let answer = loop {
            let request = ada.request(Method::POST, &path).header("idempotency-key", &key).json(&body);
            let Ok(response) = request.timeout(Duration::from_secs(20)).send().await else {
                // Time: pause before another attempt.
                tokio::time::sleep(RETRY_PAUSE).await;
                continue;
            };
            let status = response.status().as_u16();
            match status {
                201 => match response.json::<Value>().await {
                    Ok(body) => break body,
                    Err(_) => continue,
                },
                // Time: pause before another attempt.
                503 => tokio::time::sleep(RETRY_PAUSE).await,
                _ => panic!("{status}: {}", response.text().await.unwrap_or_default()),
            }
        };
        if made_task {
            last_task = Some(answer["id"].as_str().unwrap().to_owned());
        }
        acknowledged.insert(key, answer["position"].as_i64().unwrap());
    }
    acknowledged
}

/// Follows a project and reconnects after every break, as EventSource does.
async fn follow(ada: Actor, project: String, seen: Arc<Mutex<Vec<i64>>>) {
    let mut last_id = "0".to_owned();
    loop {
        let path = format!("/v1/projects/{project}/events/stream?since=0");
        let request = ada.request(Method::GET, &path).header("last-event-id", &last_id);
        if let Some(mut stream) = Sse::try_open(request).await {
            while let Some(frame) = stream.next().await {
                if frame.data.get("changes").is_some() {
                    seen.lock().unwrap().push(frame.data["position"].as_i64().unwrap());
                }
                if !frame.id.is_empty() {
                    last_id = frame.id;
                }
            }
        }
        // Time: pause before the client connects again.
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

/// Reads repeatedly, and checks that each response contains all events received before the request; returns the number
/// of responses.
async fn read_repeatedly(ada: Actor, project: String, seen: Arc<Mutex<Vec<i64>>>, stop: Arc<AtomicBool>) -> usize {
    let mut answered = 0;
    while !stop.load(Ordering::Relaxed) {
        let received = seen.lock().unwrap().last().copied().unwrap_or_default();
        let request = ada.request(Method::GET, &format!("/v1/projects/{project}"));
        match request.timeout(Duration::from_secs(20)).send().await {
            Ok(response) if response.status() == 200 => {
                let position: i64 = response.headers()["taskfold-position"].to_str().unwrap().parse().unwrap();
                assert!(position >= received, "received was {received}, read is {position}");
                answered += 1;
            }
            // Time: pause before another attempt.
            _ => tokio::time::sleep(RETRY_PAUSE).await,
        }
    }
    answered
}

/// Rebuilds the read tables repeatedly; every other rebuild is killed before its end. Returns the number of completed
/// ones.
async fn rebuild(settings: Vec<String>, stop: Arc<AtomicBool>) -> usize {
    let mut ended = 0;
    for round in 1.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let mut process = tokio::process::Command::new(env!("CARGO_BIN_EXE_taskfold"))
            .args(["rebuild", "--log", "error"])
            .args(&settings)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let limit = if round % 2 == 0 { Duration::from_millis(100 * (round % 7)) } else { Duration::from_secs(20) };
        let status = tokio::time::timeout(limit, process.wait()).await;
        ended += usize::from(status.is_ok_and(|status| status.unwrap().success()));
    }
    ended
}

/// Lets clients and processes run. A kill comes at any time, also before the recovery from the one before it.
async fn run_between_kills() {
    // Time: the schedule of the kills.
    tokio::time::sleep(BETWEEN).await;
}

fn kill_server(stack: &Stack, name: &str) {
    let pid = stack.servers().into_iter().find(|s| s.name == name).unwrap().pid.unwrap();
    let killed = Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    assert!(killed.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_command_is_lost_when_processes_are_killed() {
    let options = Options {
        data_dir: data_dir("crashes"),
        postgres: true,
        nats: Some("TASKFOLD".to_owned()),
        durability: Durability::Full,
    };
    let stack = Stack::start(options).await.unwrap();
    let owner = sqlx::PgPool::connect_lazy(&stack.database_url().unwrap()).unwrap();
    taskfold::migrate::run(&owner, &RoleUrls::default()).await.unwrap();
    let (database, nats, data) =
        (stack.database_url().unwrap(), stack.nats_url().unwrap(), data_dir("crashes").display().to_string());
    let settings = ["--database-url", &database, "--nats-url", &nats, "--data-dir", &data];
    let start = |role| Process::start(role, &settings);
    let mut commands = start("command-api");
    let mut reads = start("query-api");
    let mut projector = start("projector");
    for process in [&commands, &reads, &projector] {
        process.ready().await;
    }
    let ada = Actor::sign_up(&commands.url, "ada").await;
    let (project, _) = ada.project("P").await;
    eventually("the project can be read", || async {
        let reader = Actor { url: reads.url.clone(), ..ada.clone() };
        (reader.get(&format!("/v1/projects/{project}")).await.status == 200).then_some(())
    })
    .await;

    let seen = Arc::new(Mutex::new(Vec::new()));
    let reader = Actor { url: reads.url.clone(), ..ada.clone() };
    let following = tokio::spawn(follow(reader.clone(), project.clone(), Arc::clone(&seen)));
    let stop = Arc::new(AtomicBool::new(false));
    let reading = tokio::spawn(read_repeatedly(reader, project.clone(), Arc::clone(&seen), Arc::clone(&stop)));
    let writing: Vec<_> =
        (0..WRITERS).map(|_| tokio::spawn(write(ada.clone(), project.clone(), Arc::clone(&stop)))).collect();

    let settings = settings.map(str::to_owned).to_vec();
    let rebuilding = tokio::spawn(rebuild(settings, Arc::clone(&stop)));

    for _ in 0..2 {
        run_between_kills().await;
        commands.kill_and_restart().await;
        run_between_kills().await;
        projector.kill_and_restart().await;
        run_between_kills().await;
        reads.kill_and_restart().await;
        run_between_kills().await;
        kill_server(&stack, "nats");
        run_between_kills().await;
        kill_server(&stack, "postgres");
        run_between_kills().await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = HashMap::new();
    for writer in writing {
        acknowledged.extend(writer.await.unwrap());
    }
    let (reads_answered, rebuilt) = (reading.await.unwrap(), rebuilding.await.unwrap());
    assert!(rebuilt > 2, "only {rebuilt} rebuilds completed");
    assert!(reads_answered > 100, "only {reads_answered} reads were answered");
    assert!(acknowledged.len() > 100, "only {} commands were acknowledged", acknowledged.len());

    // Every acknowledged command is in the log, once, at the position in its reply.
    let logged: Vec<(String, i64)> =
        sqlx::query_as("SELECT command_id::text, max(position) FROM events GROUP BY command_id HAVING count(*) = 1")
            .fetch_all(&owner)
            .await
            .unwrap();
    let logged: HashMap<String, i64> = logged.into_iter().collect();
    for (key, position) in &acknowledged {
        assert_eq!(logged.get(key), Some(position), "command {key}");
    }

    // The follower has received every position of the project, each once, in order.
    let expected: Vec<i64> =
        sqlx::query_scalar("SELECT position FROM events ORDER BY position").fetch_all(&owner).await.unwrap();
    eventually("the follower has received every event", || async {
        (seen.lock().unwrap().last() == expected.last()).then_some(())
    })
    .await;
    following.abort();
    let seen = seen.lock().unwrap().clone();
    let distinct: BTreeSet<i64> = seen.iter().copied().collect();
    assert_eq!(distinct.len(), seen.len(), "a position was received twice");
    assert_eq!(seen, expected);

    // Log, stream and read tables agree, checked as an operator would.
    let verified = eventually("everything is published", || async {
        let output = Command::new(env!("CARGO_BIN_EXE_taskfold"))
            .args(["verify", "--log", "error", "--database-url", &stack.database_url().unwrap()])
            .args(["--nats-url", &stack.nats_url().unwrap()])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let complete = text.contains(&format!("compared up to {}", expected.len()));
        (complete || !output.status.success()).then_some((output.status.success(), text))
    })
    .await;
    assert!(verified.0, "{}", verified.1);
    owner.close().await;
    drop((commands, reads, projector));
    stack.stop().await;
}
