//! Presence for a client that does not read its stream.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::*;

/// A raw client that may stop reading.
struct Raw {
    socket: TcpStream,
    text: String,
}

impl Raw {
    async fn open(ada: &Actor, path: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let address = ada.url.strip_prefix("http://").unwrap().parse().unwrap();
        let mut socket = socket.connect(address).await.unwrap();
        let token = ada.token.as_ref().unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        Self { socket, text: String::new() }
    }

    /// Reads until the received text contains this.
    async fn until(&mut self, what: &str) {
        let reading = async {
            let mut read = vec![0; 64 * 1024];
            // The text is long: only the new part is searched.
            let mut from = 0;
            while !self.text[from..].contains(what) {
                from = self.text.len().saturating_sub(what.len());
                let n = self.socket.read(&mut read).await.unwrap();
                assert!(n > 0, "the stream ended before {what}");
                self.text.push_str(std::str::from_utf8(&read[..n]).unwrap());
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap_or_else(|_| panic!("no {what}"));
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_misses_presence_and_no_event() {
    let app = App::start().await;
    let (ada, bea) = (app.person("ada").await, app.person("bea").await);
    let project = project(&app, &ada, &[(&bea, "member")]).await;
    let task = ada.task(&project, "T").await;
    app.settle().await;
    announce(&bea, &project, json!({"device_id": "desk"})).await;
    let stream_path = format!("/v1/projects/{project}/events/stream");
    let mut slow = Raw::open(&ada, &stream_path).await;
    slow.until("event: hello").await;
    let begun = app.head().await;
    // More than the kernel buffers for a client.
    for n in 0..80 {
        let description = char::from(b'a' + n % 26).to_string().repeat(60 * 1024);
        ada.patch(&format!("/v1/tasks/{task}"), json!({"description": description})).await.expect(200);
    }
    app.settle().await;
    let mut listener = open(&bea, &stream_path).await;
    let missed: Vec<String> = (0..5).map(|_| new_id().to_string()).collect();
    for focus in &missed {
        announce(&bea, &project, json!({"device_id": "desk", "focus": focus})).await;
        assert_eq!(next_presence(&mut listener).await, presence_of("focused", &bea, &[focus]));
    }
    slow.until("event: presence.stale").await;
    let head = app.head().await;
    let events: Vec<i64> = slow
        .text
        .split("\n\n")
        .filter(|frame| frame.contains("event: task."))
        .map(|frame| frame.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().parse().unwrap())
        .collect();
    assert_eq!(events, (begun + 1..=head).collect::<Vec<i64>>());
    assert!(slow.text.contains(&format!("event: presence.stale\ndata: {{\"project_id\":\"{project}\"}}\n\n")));
    for focus in &missed {
        assert!(!slow.text.contains(focus.as_str()), "queued for a client that does not read");
    }
    // Once it reads again, it receives presence again.
    let focus = new_id().to_string();
    announce(&bea, &project, json!({"device_id": "desk", "focus": focus})).await;
    slow.until(&focus).await;
    assert_eq!(slow.text.matches("presence.stale").count(), 1);
    drop((slow, listener));
    app.finish().await;
}
