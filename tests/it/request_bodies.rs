//! Bodies that are refused: the client gets the answer, also if it is still sending, and the server reads little of them.

use std::process::Stdio;
use std::time::Duration;

use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::harness::{Actor, App, Process, TestEnvironment, skipped};
use crate::invalid_requests::{Scene, routes};

/// A body above the limit of JSON, and far above what fits into the buffers of two sockets.
const LARGE: usize = 8 * 1024 * 1024;

fn head(app: &App, path: &str, token: Option<&str>, length: usize) -> String {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let host = app.url.strip_prefix("http://").unwrap();
    format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{authorization}Content-Length: {length}\r\n\r\n"
    )
}

async fn connect(app: &App) -> TcpStream {
    TcpStream::connect(app.url.strip_prefix("http://").unwrap()).await.unwrap()
}

/// Like many clients: sends everything, and only then reads.
#[tokio::test]
async fn a_client_that_sends_everything_first_reads_the_refusal() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    for (path, token, status) in [
        ("/v1/projects", ada.token.as_deref(), "413"),
        ("/v1/projects", None, "401"),
        ("/v1/sessions", None, "413"),
        ("/nowhere", None, "404"),
        ("/v1/imports?format=other", ada.token.as_deref(), "422"),
    ] {
        let mut client = connect(&app).await;
        client.write_all(head(&app, path, token, LARGE).as_bytes()).await.unwrap();
        for _ in 0..LARGE / 65_536 {
            client.write_all(&[b' '; 65_536]).await.unwrap_or_else(|error| panic!("{path}: {error}"));
        }
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
        assert!(answer.ends_with('}') && answer.contains("connection: close"), "{path}: {answer}");
    }
    app.finish().await;
}

#[tokio::test]
async fn common_clients_read_the_refusal_of_a_large_body() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    for _ in 0..5 {
        let request = ada.request(Method::POST, "/v1/projects").header("content-type", "application/json");
        ada.send(request.body(vec![b' '; 2 * 1024 * 1024])).await.problem(413, "payload-too-large");
    }
    let url = format!("{}/v1/projects", app.url);
    let authorization = format!("Authorization: Bearer {}", ada.token.as_deref().unwrap());
    let body = app.data_dir.join("body");
    std::fs::create_dir_all(&app.data_dir).unwrap();
    std::fs::write(&body, vec![b' '; 2 * 1024 * 1024]).unwrap();
    let data = format!("@{}", body.display());
    let json = "Content-Type: application/json";
    let curl =
        ["-s", "-S", "-X", "POST", "-H", &authorization, "-H", json, "-H", "Expect:", "--data-binary", &data, &url];
    let python = "import sys, urllib.request, urllib.error\n\
        url, token, path = sys.argv[1:]\n\
        request = urllib.request.Request(url, open(path, 'rb').read(), {'Content-Type': 'application/json', 'Authorization': token})\n\
        try: urllib.request.urlopen(request)\n\
        except urllib.error.HTTPError as error: print(error.read().decode())";
    let token = authorization.strip_prefix("Authorization: ").unwrap();
    let path = body.to_str().unwrap();
    for (program, arguments) in [("curl", &curl[..]), ("python3", &["-c", python, &url, token, path])] {
        let Ok(output) = Command::new(program).args(arguments).stdin(Stdio::null()).output().await else {
            skipped(&format!("a test needs {program}"));
            continue;
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains("payload-too-large"), "{program}: {text} {error}");
    }
    app.finish().await;
}

/// The answer comes although no byte of the body was sent: the server does not wait for what it will not use.
#[tokio::test]
async fn no_body_is_read_before_the_caller_is_known() {
    let scene = Scene::new().await;
    for route in routes().iter().filter(|route| [Method::POST, Method::PUT, Method::PATCH].contains(&route.method)) {
        let what = format!("{} {}", route.method, route.path);
        let mut client = connect(&scene.app).await;
        let head = head(&scene.app, &scene.path(route), None, 1024 * 1024);
        let head = head.replacen("POST", route.method.as_str(), 1);
        client.write_all(head.as_bytes()).await.unwrap();
        let mut start = [0; 12];
        let answered = tokio::time::timeout(Duration::from_secs(10), client.read_exact(&mut start)).await;
        answered.unwrap_or_else(|_| panic!("{what}: waits for the body")).unwrap();
        let expected = if route.needs_token { "HTTP/1.1 401" } else { "HTTP/1.1 413" };
        assert_eq!(String::from_utf8_lossy(&start), expected, "{what}");
    }
    scene.app.stop().await;
}

/// The limit for callers who are known is that of docs/limits.md, on every route with a body.
#[tokio::test]
async fn known_callers_send_more_than_others() {
    let scene = Scene::new().await;
    let padded = format!("{{}}{}", " ".repeat(200 * 1024));
    for route in routes().iter().filter(|route| route.has_body) {
        let request =
            scene.ada.request(route.method.clone(), &scene.path(route)).header("content-type", "application/json");
        let answer = scene.ada.send(request.body(padded.clone())).await;
        let what = format!("{} {}: {}", route.method, route.path, answer.body);
        assert_eq!(answer.status == 413, !route.needs_token, "{what}");
    }
    scene.app.stop().await;
}

/// Highest resident memory of a process so far, in MiB.
#[cfg(target_os = "linux")]
fn peak_memory(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// As parsed values, they would take 26 and 80 times their size.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_import_of_many_small_values_takes_little_memory() {
    let environment = TestEnvironment::new().await;
    let process = Process::start("all", &environment.settings());
    process.ready().await;
    let ada = Actor::sign_up(&process.url, "ada").await;
    let before = peak_memory(&process);
    for small in ["{}", "{\"a\":0}"] {
        let cards = vec![small; 30_000_000 / (small.len() + 1)].join(",");
        let document = format!("{{\"id\": \"b\", \"lists\": [], \"cards\": [{cards}]}}");
        let request = ada.request(Method::POST, "/v1/imports?format=trello").header("content-type", "application/json");
        ada.send(request.body(document)).await.problem(422, "validation-failed");
    }
    let after = peak_memory(&process);
    assert!(after < before + 150, "{before} MiB before, and {after} MiB after");
}
