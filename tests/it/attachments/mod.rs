//! Attachments: upload, download, permissions and storage.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use taskfold_attachments::uploads::janitor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Actor, App, eventually, new_id};

/// Removal of unused bytes.
mod cleanup;
/// The quota of a project's attachments.
mod quota;
/// Resumable uploads.
mod resumable;
/// The library that browsers upload with.
mod tus_client;

/// Size of a stored part.
const PART: usize = 4 * 1024 * 1024;

fn file(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i * 31 + i / 251) as u8).collect()
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Starts a system with a person and a task.
async fn scene() -> (App, Actor, String) {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let task = ada.task(&project, "T").await;
    (app, ada, task)
}

fn attach(actor: &Actor, task: &str, name: &str, content_type: &str, bytes: Vec<u8>) -> RequestBuilder {
    let path = format!("/v1/tasks/{task}/attachments");
    let request = actor.request(Method::POST, &path).header("content-type", content_type);
    request.header("content-disposition", format!("attachment; filename=\"{name}\"")).body(bytes)
}

/// Sends an upload; returns the attachment's address and the reply.
async fn attached(actor: &Actor, request: RequestBuilder) -> (String, Value) {
    let answer = actor.send(request).await;
    let (location, position) = (answer.header("location").to_owned(), answer.header("taskfold-position").to_owned());
    let body = answer.expect(201);
    assert_eq!(position, body["position"].to_string());
    assert!(location.ends_with(body["created_id"].as_str().unwrap()));
    (location, body)
}

fn content(actor: &Actor, location: &str, reply: &Value) -> RequestBuilder {
    let path = format!("{location}/content?min_position={}", reply["position"]);
    actor.request(Method::GET, &path).header("prefer", "wait=20")
}

async fn sent(request: RequestBuilder, status: u16) -> Response {
    let response = request.send().await.unwrap();
    if response.status().as_u16() != status {
        panic!("{}: {}", response.status(), response.text().await.unwrap());
    }
    response
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map(|v| v.to_str().unwrap()).unwrap_or_default()
}

/// Stored objects after a run of the janitor.
async fn stored(app: &App) -> Vec<String> {
    while janitor::step(&app.owner, &app.attachments).await.unwrap() == janitor::Outcome::Cleaned {}
    app.attachments.names().await.unwrap()
}

async fn nothing_is_left(app: &App) {
    eventually("nothing is left of the upload", || async {
        let stored = stored(app).await;
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM attachment_uploads WHERE state <> 'attached'")
            .fetch_one(&app.owner)
            .await
            .unwrap();
        (rows == 0 && stored.is_empty()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_attachment_is_listed_counted_and_downloaded() {
    let (app, ada, task) = scene().await;
    let bytes = file(2 * PART + 17);
    let (location, reply) =
        attached(&ada, attach(&ada, &task, "notes.bin", "application/x-notes", bytes.clone())).await;
    let change = &reply["events"][0];
    assert_eq!(change["type"], "task.attachment_added");
    let expected = json!({"id": reply["created_id"], "author_id": ada.user_id, "file_name": "notes.bin",
        "content_type": "application/x-notes", "size": bytes.len(), "sha256": hex(&bytes)});
    assert_eq!(change["changes"]["attachment"], json!({"from": null, "to": expected}));

    let position = reply["position"].as_i64().unwrap();
    let list = ada.get_at(&format!("/v1/tasks/{task}/attachments"), position).await.expect(200);
    assert_eq!(list["items"][0]["id"], reply["created_id"]);
    assert_eq!(list["items"][0]["size"], bytes.len());
    let task_now = ada.get(&format!("/v1/tasks/{task}")).await.expect(200);
    assert_eq!(task_now["attachment_count"], 1);
    let project = task_now["project_id"].as_str().unwrap();
    let board = ada.get(&format!("/v1/projects/{project}/board")).await.expect(200);
    assert_eq!(board["columns"][0]["tasks"][0]["attachment_count"], 1);
    // Not an edit: a form that was opened before is not stale.
    let edit = ada.request(Method::PATCH, &format!("/v1/tasks/{task}")).header("if-match", "\"1\"");
    ada.send(edit.json(&json!({"title": "U"}))).await.expect(200);

    let response = sent(content(&ada, &location, &reply).header("accept-encoding", "gzip"), 200).await;
    assert_eq!(header(&response, "etag"), format!("\"{}\"", hex(&bytes)));
    assert_eq!(header(&response, "content-length"), bytes.len().to_string());
    assert_eq!(header(&response, "content-type"), "application/x-notes");
    assert_eq!(header(&response, "content-disposition"), "attachment; filename=\"notes.bin\"");
    assert_eq!(header(&response, "accept-ranges"), "bytes");
    assert_eq!(header(&response, "content-encoding"), "");
    assert_eq!(header(&response, "cache-control"), "private, no-cache");
    assert!(response.bytes().await.unwrap() == bytes);
    let (_, empty) = attached(&ada, attach(&ada, &task, "", "", vec![])).await;
    assert_eq!(empty["events"][0]["changes"]["attachment"]["to"]["file_name"], "file");
    app.finish().await;
}

#[tokio::test]
async fn a_video_is_served_in_ranges() {
    let (app, ada, task) = scene().await;
    let bytes = file(PART + 1000);
    let (location, reply) = attached(&ada, attach(&ada, &task, "clip.mp4", "video/mp4", bytes.clone())).await;
    let size = bytes.len();
    // The requests of Chrome and Safari: all from the start, the first two bytes, a seek, the index at the end.
    let cases = [
        ("bytes=0-".to_owned(), 0..size),
        ("bytes=0-1".to_owned(), 0..2),
        (format!("bytes={}-", PART - 10), PART - 10..size),
        (format!("bytes={}-{}", PART - 1, PART), PART - 1..PART + 1),
        ("bytes=-500".to_owned(), size - 500..size),
    ];
    for (range, expected) in cases {
        let response = sent(content(&ada, &location, &reply).header("range", &range), 206).await;
        let content_range = format!("bytes {}-{}/{size}", expected.start, expected.end - 1);
        assert_eq!(header(&response, "content-range"), content_range, "{range}");
        assert_eq!(header(&response, "content-disposition"), "inline; filename=\"clip.mp4\"");
        assert!(response.bytes().await.unwrap() == bytes[expected], "{range}");
    }
    let etag = format!("\"{}\"", hex(&bytes));
    let ask = || content(&ada, &location, &reply).header("range", "bytes=5-9");
    assert!(sent(ask().header("if-range", &etag), 206).await.bytes().await.unwrap() == bytes[5..10]);
    for other in ["\"other\"", &format!("W/{etag}"), "Wed, 25 Nov 2026 00:00:00 GMT"] {
        assert_eq!(sent(ask().header("if-range", other), 200).await.bytes().await.unwrap().len(), size, "{other}");
    }
    let several = content(&ada, &location, &reply).header("range", "bytes=0-1,5-6");
    assert_eq!(sent(several, 200).await.bytes().await.unwrap().len(), size);

    let beyond = sent(content(&ada, &location, &reply).header("range", format!("bytes={size}-")), 416).await;
    assert_eq!(header(&beyond, "content-range"), format!("bytes */{size}"));
    assert_eq!(beyond.json::<Value>().await.unwrap()["code"], "range-not-satisfiable");
    let known = sent(content(&ada, &location, &reply).header("if-none-match", &etag), 304).await;
    assert_eq!(header(&known, "etag"), etag);
    assert!(known.bytes().await.unwrap().is_empty());
    let head = sent(ada.request(Method::HEAD, &format!("{location}/content")).header("range", "bytes=0-1"), 200).await;
    assert_eq!(header(&head, "content-length"), size.to_string());

    // A video element cannot send headers; the same address works for the whole playback.
    let ticket = ada.post("/v1/stream-tickets", json!({})).await.expect(201)["ticket"].as_str().unwrap().to_owned();
    let anonymous = app.anonymous();
    for range in ["bytes=0-1", "bytes=7-8"] {
        let request = anonymous.request(Method::GET, &format!("{location}/content?ticket={ticket}"));
        sent(request.header("range", range), 206).await;
    }
    anonymous.get(&format!("{location}/content?ticket=x")).await.problem(401, "unauthenticated");
    app.finish().await;
}

#[tokio::test]
async fn content_is_never_executed_and_the_file_name_is_kept() {
    let (app, ada, task) = scene().await;
    for content_type in ["text/html; charset=utf-8", "image/svg+xml"] {
        let html = b"<script>alert(1)</script>".to_vec();
        let (location, reply) = attached(&ada, attach(&ada, &task, "evil.html", content_type, html)).await;
        let response = sent(content(&ada, &location, &reply), 200).await;
        assert_eq!(header(&response, "content-disposition"), "attachment; filename=\"evil.html\"");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        assert_eq!(header(&response, "content-security-policy"), "sandbox; default-src 'none'; frame-ancestors 'none'");
    }
    let path = format!("/v1/tasks/{task}/attachments");
    let star = ada.request(Method::POST, &path).header("content-type", "image/png").body("x").header(
        "content-disposition",
        "attachment; filename=\"fallback.png\"; filename*=UTF-8''..%2f%e2%82%ac%20Gr%C3%BC%C3%9Fe%0d%0a.png",
    );
    let (location, reply) = attached(&ada, star).await;
    assert_eq!(reply["events"][0]["changes"]["attachment"]["to"]["file_name"], "€ Grüße.png");
    let response = sent(content(&ada, &location, &reply), 200).await;
    let disposition = "inline; filename=\"_ Gr__e.png\"; filename*=UTF-8''%E2%82%AC%20Gr%C3%BC%C3%9Fe.png";
    assert_eq!(header(&response, "content-disposition"), disposition);

    // As a browser sends a form, and with query parameters.
    let part = reqwest::multipart::Part::bytes(b"hello".to_vec()).file_name("Ünter lagen.txt").mime_str("text/plain");
    let form = reqwest::multipart::Form::new().text("note", "read over").part("file", part.unwrap());
    let (location, reply) = attached(&ada, ada.request(Method::POST, &path).multipart(form)).await;
    let attachment = &reply["events"][0]["changes"]["attachment"]["to"];
    assert_eq!((&attachment["file_name"], &attachment["size"]), (&json!("Ünter lagen.txt"), &json!(5)));
    assert_eq!(sent(content(&ada, &location, &reply), 200).await.text().await.unwrap(), "hello");
    let query = ada.request(Method::POST, &format!("{path}?file_name=a%2Fb%2Fc.txt")).body("x");
    assert_eq!(attached(&ada, query).await.1["events"][0]["changes"]["attachment"]["to"]["file_name"], "c.txt");
    let no_file = reqwest::multipart::Form::new().text("note", "alone");
    ada.send(ada.request(Method::POST, &path).multipart(no_file)).await.problem(422, "validation-failed");
    let broken = ada.request(Method::POST, &path).header("content-type", "multipart/form-data; boundary=x").body("--x");
    ada.send(broken).await.problem(400, "malformed");
    let unbounded = ada.request(Method::POST, &path).header("content-type", "multipart/form-data").body("x");
    ada.send(unbounded).await.problem(400, "malformed");
    app.finish().await;
}

#[tokio::test]
async fn an_upload_with_a_wrong_digest_is_refused_and_leaves_no_data() {
    let (app, ada, task) = scene().await;
    let bytes = file(PART + 5);
    let base64 = BASE64_STANDARD.encode(Sha256::digest(&bytes));
    let wrong = BASE64_STANDARD.encode(Sha256::digest(b"other"));
    let path = format!("/v1/tasks/{task}/attachments");
    for (name, value) in [("repr-digest", format!("sha-256=:{wrong}:")), ("digest", format!("SHA-256={wrong}"))] {
        let answer = ada.send(ada.request(Method::POST, &path).header(name, value).body(bytes.clone())).await;
        assert_eq!(answer.problem(422, "validation-failed")["errors"][0]["pointer"], "/sha256");
        assert!(app.attachments.names().await.unwrap().is_empty());
    }
    let query = format!("{path}?sha256={}", hex(b"other"));
    ada.send(ada.request(Method::POST, &query).body(bytes.clone())).await.problem(422, "validation-failed");
    nothing_is_left(&app).await;
    let right = ada.request(Method::POST, &format!("{path}?sha256={}", hex(&bytes)));
    attached(&ada, right.header("repr-digest", format!("sha-256=:{base64}:")).body(bytes)).await;
    app.finish().await;
}

/// Sends the head of an upload, and these bytes of its body.
async fn begin(app: &App, actor: &Actor, path: &str, announced: u64, bytes: &[u8]) -> TcpStream {
    let mut socket = TcpStream::connect(app.url.strip_prefix("http://").unwrap()).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: {announced}\r\n\r\n",
        actor.token.as_ref().unwrap()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    socket
}

#[tokio::test]
async fn an_upload_without_permission_is_refused_before_its_body_is_read() {
    let (app, ada, task) = scene().await;
    let (eve, bea) = (app.person("eve").await, app.person("bea").await);
    let project =
        ada.get_at(&format!("/v1/tasks/{task}"), 2).await.expect(200)["project_id"].as_str().unwrap().to_owned();
    let member = format!("/v1/projects/{project}/members/{}", bea.user_id);
    ada.put(&member, json!({"role": "viewer"})).await.expect(201);
    let path = format!("/v1/tasks/{task}/attachments");
    for (actor, status, code) in [(&eve, "404", "not-found"), (&bea, "403", "forbidden")] {
        let mut socket = begin(&app, actor, &path, 1 << 30, b"").await;
        let mut answer = vec![0; 2048];
        let n = socket.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..n]).into_owned();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(code), "{answer}");
        let rows: i64 =
            sqlx::query_scalar("SELECT count(*) FROM attachment_uploads").fetch_one(&app.owner).await.unwrap();
        assert_eq!(rows, 0);
    }
    let mut socket = begin(&app, &ada, &path, 3 << 30, b"").await;
    let mut answer = vec![0; 2048];
    let n = socket.read(&mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer[..n]).starts_with("HTTP/1.1 413"));

    // A non-member does not learn that a file exists; a viewer reads it and may not remove it; a member removes only
    // their own.
    let (location, reply) = attached(&ada, attach(&ada, &task, "a.txt", "text/plain", file(10))).await;
    sent(content(&bea, &location, &reply), 200).await;
    eve.get(&format!("{location}/content")).await.problem(404, "not-found");
    eve.get(&path).await.problem(404, "not-found");
    eve.delete(&location).await.problem(404, "not-found");
    bea.delete(&location).await.problem(403, "forbidden");
    ada.put(&member, json!({"role": "member"})).await.expect(200);
    bea.delete(&location).await.problem(403, "forbidden");
    let (hers, _) = attached(&bea, attach(&bea, &task, "b.txt", "text/plain", file(10))).await;
    bea.delete(&hers).await.expect(200);
    app.finish().await;
}

#[tokio::test]
async fn a_repeated_upload_gets_the_same_response_and_is_stored_once() {
    let (app, ada, task) = scene().await;
    let key = new_id().to_string();
    let bytes = file(PART + 3);
    let ask = |bytes: Vec<u8>| attach(&ada, &task, "a.txt", "text/plain", bytes).header("idempotency-key", &key);
    let first = ada.send(ask(bytes.clone())).await;
    let location = first.header("location").to_owned();
    let first = first.expect(201);
    let stored_once = stored(&app).await;
    let again = ada.send(ask(bytes.clone())).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.header("location"), location);
    assert_eq!(again.expect(201), first);
    let other = ask(bytes.clone()).header("repr-digest", format!("sha-256=:{}:", BASE64_STANDARD.encode([7; 32])));
    ada.send(other).await.problem(422, "idempotency-key-reused");
    let other_name = attach(&ada, &task, "b.txt", "text/plain", bytes.clone()).header("idempotency-key", &key);
    ada.send(other_name).await.problem(422, "idempotency-key-reused");
    assert_eq!(stored(&app).await, stored_once);
    // A repeated upload whose body is not needed also gets the first reply.
    let late = ask(file(40 * PART))
        .header("repr-digest", format!("sha-256=:{}:", BASE64_STANDARD.encode(Sha256::digest(&bytes))));
    assert_eq!(ada.send(late).await.expect(201), first);

    // Two uploads at the same time, when neither has been recorded yet.
    let key = new_id().to_string();
    let ask = || attach(&ada, &task, "c.txt", "text/plain", bytes.clone()).header("idempotency-key", &key);
    let (one, two) = tokio::join!(ada.send(ask()), ada.send(ask()));
    assert_eq!(one.expect(201), two.expect(201));
    assert_eq!(stored(&app).await.len(), 2 * stored_once.len());
    app.finish().await;
}

/// Peak memory of this process in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn large_uploads_and_downloads_need_little_memory() {
    const MIB: usize = 600;
    let (app, ada, task) = scene().await;
    let piece = Bytes::from(file(1024 * 1024));
    let before = peak();
    let pieces = futures::stream::iter((0..MIB).map({
        let piece = piece.clone();
        move |_| Ok::<_, std::io::Error>(piece.clone())
    }));
    let path = format!("/v1/tasks/{task}/attachments?file_name=large.bin");
    let request = ada.request(Method::POST, &path).body(reqwest::Body::wrap_stream(pieces));
    let (location, reply) = attached(&ada, request).await;
    let mut response = sent(content(&ada, &location, &reply), 200).await;
    let mut hash = Sha256::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        hash.update(&chunk);
    }
    let mut expected = Sha256::new();
    (0..MIB).for_each(|_| expected.update(&piece));
    assert_eq!(hash.finalize(), expected.finalize());
    let grown = (peak() - before) / 1024;
    println!("{MIB} MiB up and down: {grown} MiB more at the peak");
    // Other tests in the same process need memory too.
    assert!(grown < MIB as u64 / 2, "{grown} MiB");
    app.finish().await;
}

#[tokio::test]
async fn an_unavailable_store_is_reported_and_affects_only_attachments() {
    let (app, ada, _) = scene().await;
    let state = async || {
        let ready = ada.get("/health/ready").await.expect(200);
        let all = ready["dependencies"].as_array().unwrap().clone();
        all.into_iter().find(|d| d["name"] == "attachments").unwrap()["state"].clone()
    };
    assert_eq!(state().await, "ok");
    let (folder, away) = (app.data_dir.join("attachments"), app.data_dir.join("away"));
    std::fs::rename(&folder, &away).unwrap();
    assert_eq!(state().await, "degraded");
    std::fs::rename(&away, &folder).unwrap();
    assert_eq!(state().await, "ok");
    app.finish().await;
}
