//! Logs: from a response to the lines, the event and the message that belong to it.

use std::path::{Path, PathBuf};

use async_nats::jetstream;
use serde_json::{Value, json};

use crate::harness::{Actor, Process, TestEnvironment, eventually};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Starts all roles, which log at these levels into a file.
async fn start(environment: &TestEnvironment, levels: &str) -> (Process, PathBuf) {
    std::fs::create_dir_all(&environment.data_dir).unwrap();
    let log = environment.data_dir.join("log.jsonl");
    let process = Process::start_logging("all", levels, &environment.settings(), &log);
    process.ready().await;
    (process, log)
}

/// Lines of a log so far.
fn lines(log: &Path) -> Vec<Value> {
    std::fs::read_to_string(log).unwrap().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Waits for a line with this message in a span of the request.
async fn line_of_request(log: &Path, request_id: &str, message: &str) -> Value {
    eventually(message, || async {
        lines(log).into_iter().find(|line| {
            let spans = line["spans"].as_array();
            line["fields"]["message"] == message
                && spans.is_some_and(|spans| spans.iter().any(|span| span["request_id"] == request_id))
        })
    })
    .await
}

#[tokio::test]
async fn a_request_id_is_in_the_log_lines_the_event_and_the_message() {
    let environment = TestEnvironment::new().await;
    let (process, log) = start(&environment, "info,taskfold_web=debug,taskfold_commands=debug").await;
    let ada = Actor::sign_up(&process.url, "ada").await;
    let (project, _) = ada.project("P").await;

    let path = format!("/v1/projects/{project}/tasks");
    let request = ada.request(reqwest::Method::POST, &path).json(&json!({"title": "T"}));
    let answer = ada.send(request.header("x-request-id", "from-the-client").header("traceparent", TRACE)).await;
    assert_eq!(answer.header("x-request-id"), "from-the-client");
    let position = answer.position();
    answer.expect(201);

    let access = line_of_request(&log, "from-the-client", "answered").await;
    assert_eq!(access["fields"]["status"], 201);
    let span = &access["spans"][0];
    assert_eq!((&span["method"], &span["route"]), (&json!("POST"), &json!("/v1/projects/{project_id}/tasks")));
    assert_eq!((&span["user_id"], &span["trace_id"]), (&json!(ada.user_id), &json!(&TRACE[3..35])));
    let done = line_of_request(&log, "from-the-client", "applied").await;
    assert_eq!(done["fields"]["position"], position);

    let nats = jetstream::new(crate::harness::nats(&environment.nats_url).await.unwrap());
    let stream = nats.get_stream(&environment.stream).await.unwrap();
    let sequence = u64::try_from(position).unwrap();
    let message = eventually("published", || async { stream.get_raw_message(sequence).await.ok() }).await;
    assert_eq!(message.headers.get("traceparent").unwrap().as_str(), TRACE);

    // Without ids from the client: the id of a new trace.
    let refused = ada.post(&path, json!({"title": "T", "column_id": project})).await;
    let id = refused.header("x-request-id").to_owned();
    refused.problem(422, "validation-failed");
    assert_eq!(id.len(), 32);
    let failed = line_of_request(&log, &id, "not applied").await;
    assert_eq!(failed["fields"]["reason"], "refused");
    // An id that could forge a header or fill the log is replaced.
    let long = ada.send(ada.request(reqwest::Method::GET, "/v1/me").header("x-request-id", "x".repeat(129))).await;
    assert_eq!(long.header("x-request-id").len(), 32);
}

#[tokio::test]
async fn secrets_in_paths_and_queries_are_not_logged() {
    let environment = TestEnvironment::new().await;
    // Debug for all of the program, but not for its libraries.
    let modules = ["", "_attachments", "_command_api", "_commands", "_event_log", "_live", "_query_api", "_web"];
    let levels = modules.map(|module| format!("taskfold{module}=debug")).join(",");
    let (process, log) = start(&environment, &format!("info,{levels}")).await;
    let ada = Actor::sign_up(&process.url, "ada").await;
    let (project, _) = ada.project("P").await;
    let link = ada.post(&format!("/v1/projects/{project}/calendar-links"), json!({})).await.expect(201);
    let path = link["url_path"].as_str().unwrap();
    let calendar = Actor::anonymous(&process.url).get(path).await;
    let id = calendar.header("x-request-id").to_owned();
    line_of_request(&log, &id, "answered").await;
    let token = ada.post("/v1/api-tokens", json!({"name": "N", "access": "write"})).await.expect(201);
    let invitation = ada.post(&format!("/v1/projects/{project}/invitations"), json!({"role": "member"})).await;
    let id = invitation.header("x-request-id").to_owned();
    let invitation = invitation.expect(201);
    line_of_request(&log, &id, "answered").await;
    let text = std::fs::read_to_string(&log).unwrap();
    let secret = path.trim_start_matches("/v1/calendars/").trim_end_matches(".ics");
    let made = [&invitation, &token].map(|made| made["token"].as_str().unwrap());
    let own = [ada.token.as_deref().unwrap(), &ada.refresh_token, "correct horse battery"];
    for secret in [secret].into_iter().chain(made).chain(own) {
        assert!(!text.contains(secret), "the log contains a secret");
    }
}
