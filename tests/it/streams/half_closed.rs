//! Clients that close the sending side of their connection.

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use super::*;
use crate::harness::eventually;

/// Sends this, and then closes the sending side, as `nc -N` does.
async fn send_and_half_close(app: &App, request_text: &str) -> TcpStream {
    let mut socket = TcpStream::connect(app.url.strip_prefix("http://").unwrap()).await.unwrap();
    socket.write_all(request_text.as_bytes()).await.unwrap();
    socket.shutdown().await.unwrap();
    socket
}

fn request(actor: &Actor, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n", actor.token.as_ref().unwrap())
}

async fn line_with(lines: &mut tokio::io::Lines<BufReader<TcpStream>>, what: &str) {
    let found = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains(what) {
                return true;
            }
        }
        false
    };
    assert!(tokio::time::timeout(PATIENCE, found).await.expect("in time"), "{what} does not come");
}

#[tokio::test]
async fn a_half_closed_client_is_answered() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    app.settle().await;
    let path = format!("/v1/projects/{project}");
    // One that is answered immediately, and one that has to wait for an event.
    let head = app.head().await;
    let slow = request(&ada, &format!("{path}/events?since={head}")).replace("\r\n\r\n", "\r\nprefer: wait=30\r\n\r\n");
    for (request_text, shows) in [(request(&ada, "/v1/me"), "\"username\":\"ada\""), (slow, "task.created")] {
        let mut socket = send_and_half_close(&app, &request_text).await;
        ada.task(&project, "T").await;
        let mut answer = String::new();
        tokio::time::timeout(PATIENCE, socket.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(shows), "{answer}");
    }
    app.finish().await;
}

/// The first request of its connection is served on the bare socket, a later one by HTTP.
fn streams(ada: &Actor, project: &str) -> [String; 2] {
    let stream = request(ada, &format!("/v1/projects/{project}/events/stream"));
    [stream.clone(), format!("{}{stream}", request(ada, "/v1/me"))]
}

#[tokio::test]
async fn a_stream_continues_for_a_half_closed_client() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    app.settle().await;
    for request_text in streams(&ada, &project) {
        let mut lines = BufReader::new(send_and_half_close(&app, &request_text).await).lines();
        line_with(&mut lines, "event: hello").await;
        for _ in 0..3 {
            ada.task(&project, "T").await;
            line_with(&mut lines, "event: task.created").await;
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn a_stream_ends_as_soon_as_its_client_disconnects() {
    let app = App::start_with(&["--max-streams-per-user", "1"]).await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    app.settle().await;
    for request_text in streams(&ada, &project) {
        // An open stream; `None` while another has the slot.
        let open = || async {
            let mut socket = TcpStream::connect(app.url.strip_prefix("http://").unwrap()).await.unwrap();
            socket.write_all(request_text.as_bytes()).await.unwrap();
            let mut lines = BufReader::new(socket).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if line == "event: hello" {
                    return Some(lines);
                }
                // The body of an error response, which ends without a line break.
                if line.contains("HTTP/1.1 429 ") {
                    return None;
                }
            }
            None
        };
        let lines = eventually("the slot is free", open).await;
        let began = std::time::Instant::now();
        drop(lines);
        drop(eventually("the slot is free again", open).await);
        // Long before anything is sent on it.
        assert!(began.elapsed() < std::time::Duration::from_secs(8), "{:?}", began.elapsed());
    }
    app.finish().await;
}
