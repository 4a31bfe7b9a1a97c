//! Resumable uploads with the tus protocol.

use bytes::Bytes;
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use super::*;
use crate::harness::new_id;

fn tus(actor: &Actor, method: Method, path: &str) -> RequestBuilder {
    actor.request(method, path).header("tus-resumable", "1.0.0")
}

fn patch(actor: &Actor, upload: &str, offset: usize, bytes: impl Into<reqwest::Body>) -> RequestBuilder {
    tus(actor, Method::PATCH, upload)
        .header("content-type", "application/offset+octet-stream")
        .header("upload-offset", offset)
        .body(bytes)
}

async fn create(actor: &Actor, task: &str, length: usize) -> String {
    let request = tus(actor, Method::POST, &format!("/v1/tasks/{task}/uploads")).header("upload-length", length);
    let metadata = format!("filename {},filetype dmlkZW8vbXA0", BASE64_STANDARD.encode("Grüße.mp4"));
    let created = sent(request.header("upload-metadata", metadata), 201).await;
    assert_eq!(header(&created, "tus-resumable"), "1.0.0");
    header(&created, "location").to_owned()
}

async fn offset(actor: &Actor, upload: &str) -> usize {
    let response = sent(tus(actor, Method::HEAD, upload), 200).await;
    assert_eq!(header(&response, "cache-control"), "no-store");
    header(&response, "upload-offset").parse().unwrap()
}

#[tokio::test]
async fn an_upload_resumes_where_it_was_interrupted() {
    let (app, ada, task) = scene().await;
    let bytes = file(2 * PART + 500);
    let upload = create(&ada, &task, bytes.len()).await;
    assert_eq!(offset(&ada, &upload).await, 0);
    sent(patch(&ada, &upload, 0, bytes[..1000].to_vec()), 204).await;
    assert_eq!(offset(&ada, &upload).await, 1000);
    ada.send(patch(&ada, &upload, 0, bytes[..10].to_vec())).await.problem(409, "upload-offset");

    // The connection breaks in the second part: the received bytes are kept.
    let mut socket = TcpStream::connect(app.url.strip_prefix("http://").unwrap()).await.unwrap();
    let head = format!(
        "PATCH {upload} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ntus-resumable: 1.0.0\r\nupload-offset: 1000\r\n\
         content-type: application/offset+octet-stream\r\ncontent-length: {}\r\n\r\n",
        ada.token.as_ref().unwrap(),
        bytes.len() - 1000
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&bytes[1000..PART + 2000]).await.unwrap();
    eventually("the first part is stored", || async { (offset(&ada, &upload).await >= PART).then_some(()) }).await;
    drop(socket);
    eventually("received data is stored", || async { (offset(&ada, &upload).await > PART).then_some(()) }).await;
    let at = offset(&ada, &upload).await;

    let mut other = sent(patch(&ada, &upload, at, bytes[at..bytes.len() - 1].to_vec()), 204).await;
    assert_eq!(header(&other, "taskfold-attachment-id"), "");
    let too_much = patch(&ada, &upload, bytes.len() - 1, b"xy".to_vec());
    ada.send(too_much).await.problem(413, "payload-too-large");
    other = sent(patch(&ada, &upload, bytes.len() - 1, bytes[bytes.len() - 1..].to_vec()), 204).await;
    let (id, position) =
        (header(&other, "taskfold-attachment-id").to_owned(), header(&other, "taskfold-position").to_owned());
    let location = format!("/v1/tasks/{task}/attachments/{id}");
    let reply = json!({"position": position.parse::<i64>().unwrap()});
    let response = sent(content(&ada, &location, &reply), 200).await;
    assert_eq!(header(&response, "etag"), format!("\"{}\"", hex(&bytes)));
    assert_eq!(header(&response, "content-type"), "video/mp4");
    assert!(header(&response, "content-disposition").ends_with("filename*=UTF-8''Gr%C3%BC%C3%9Fe.mp4"));
    assert!(response.bytes().await.unwrap() == bytes);
    // A client that missed the response finds the result.
    let after = sent(tus(&ada, Method::HEAD, &upload), 200).await;
    assert_eq!(header(&after, "upload-offset"), bytes.len().to_string());
    assert_eq!(header(&after, "taskfold-attachment-id"), id);
    assert_eq!(header(&after, "taskfold-position"), position);
    assert_eq!(stored(&app).await.len(), 3, "no unfinished part is left");
    app.finish().await;
}

#[tokio::test]
async fn a_complete_upload_of_a_killed_process_is_attached_by_the_next_request() {
    let (app, ada, task) = scene().await;
    let upload = create(&ada, &task, 10).await;
    sent(patch(&ada, &upload, 0, file(4)), 204).await;
    // As after a kill between the last byte and the append.
    let whole = {
        let id = serde_json::from_value(json!(upload.rsplit('/').next().unwrap())).unwrap();
        let mut writer = taskfold_attachments::Writer::new(app.attachments.clone(), id);
        writer.push(Bytes::from(file(10))).await.unwrap();
        writer.save().await.unwrap()
    };
    sqlx::query("UPDATE attachment_uploads SET received = 10, hash = $1, state = 'committing'")
        .bind(whole.hash)
        .execute(&app.owner)
        .await
        .unwrap();
    let (one, two) =
        tokio::join!(sent(tus(&ada, Method::HEAD, &upload), 200), sent(tus(&ada, Method::HEAD, &upload), 200));
    let id = header(&one, "taskfold-attachment-id").to_owned();
    assert_eq!(header(&two, "taskfold-attachment-id"), id);
    let reply = json!({"position": header(&one, "taskfold-position").parse::<i64>().unwrap()});
    let location = format!("/v1/tasks/{task}/attachments/{id}");
    assert!(sent(content(&ada, &location, &reply), 200).await.bytes().await.unwrap() == file(10));
    assert_eq!(stored(&app).await.len(), 1);
    app.finish().await;
}

/// Starts a command-api as a process of its own, on the same log and the same store.
async fn another_process(app: &App) -> (std::process::Child, String) {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let url = std::env::var("TASKFOLD_ATTACHMENTS_URL").map(|url| format!("{url}/{}", app.stream)).unwrap_or_default();
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_taskfold"))
        .args(["command-api", "--log", "error", "--listen", &address, "--attachments-url", &url])
        .args(["--database-url", &app.database_url, "--nats-url", &app.nats_url])
        .args(["--data-dir", app.data_dir.to_str().unwrap()])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually("the other process answers", || async {
        reqwest::get(format!("http://{address}/health/ready")).await.is_ok_and(|r| r.status() == 200).then_some(())
    })
    .await;
    (child, address)
}

#[tokio::test]
async fn a_killed_process_loses_no_complete_part_of_an_upload() {
    let (app, ada, task) = scene().await;
    let bytes = file(3 * PART);
    let upload = create(&ada, &task, bytes.len()).await;
    let (mut child, address) = another_process(&app).await;
    let mut socket = TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "PATCH {upload} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ntus-resumable: 1.0.0\r\nupload-offset: 0\r\n\
         content-type: application/offset+octet-stream\r\ncontent-length: {}\r\n\r\n",
        ada.token.as_ref().unwrap(),
        bytes.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&bytes[..2 * PART + PART / 2]).await.unwrap();
    eventually("two parts are stored", || async { (offset(&ada, &upload).await == 2 * PART).then_some(()) }).await;
    child.kill().unwrap();
    child.wait().unwrap();
    // Another instance continues the upload.
    assert_eq!(offset(&ada, &upload).await, 2 * PART);
    let last = sent(patch(&ada, &upload, 2 * PART, bytes[2 * PART..].to_vec()), 204).await;
    let location = format!("/v1/tasks/{task}/attachments/{}", header(&last, "taskfold-attachment-id"));
    let reply = json!({"position": header(&last, "taskfold-position").parse::<i64>().unwrap()});
    assert!(sent(content(&ada, &location, &reply), 200).await.bytes().await.unwrap() == bytes);
    app.finish().await;
}

#[tokio::test]
async fn uploads_are_private_to_their_caller_and_end_at_their_expiry() {
    let (app, ada, task) = scene().await;
    let eve = app.person("eve").await;
    let path = format!("/v1/tasks/{task}/uploads");
    eve.send(tus(&eve, Method::POST, &path).header("upload-length", 5)).await.problem(404, "not-found");
    ada.send(tus(&ada, Method::POST, &path)).await.problem(422, "validation-failed");
    ada.send(tus(&ada, Method::POST, &path).header("upload-length", 3_u64 << 30))
        .await
        .problem(413, "payload-too-large");
    let old = ada.request(Method::POST, &path).header("tus-resumable", "0.2.2").header("upload-length", 5);
    ada.send(old).await.problem(412, "upload-protocol");

    let upload = create(&ada, &task, 10).await;
    sent(patch(&ada, &upload, 0, file(4)), 204).await;
    eve.get(&upload).await.problem(404, "not-found");
    eve.send(patch(&eve, &upload, 4, file(4))).await.problem(404, "not-found");
    let plain = tus(&ada, Method::PATCH, &upload).header("upload-offset", 4).body("x");
    ada.send(plain).await.problem(415, "unsupported-media-type");
    sent(tus(&ada, Method::DELETE, &upload), 204).await;
    ada.get(&upload).await.problem(404, "not-found");
    nothing_is_left(&app).await;

    // An empty file is attached immediately. The same key is the same upload.
    let request = || tus(&ada, Method::POST, &path).header("upload-length", 0);
    assert!(!header(&sent(request(), 201).await, "taskfold-attachment-id").is_empty());
    let key = new_id().to_string();
    let keyed = || tus(&ada, Method::POST, &path).header("upload-length", 9).header("idempotency-key", &key);
    let (one, two) = (sent(keyed(), 201).await, sent(keyed(), 201).await);
    assert_eq!(header(&one, "location"), header(&two, "location"));
    let other = tus(&ada, Method::POST, &path).header("upload-length", 8).header("idempotency-key", &key);
    ada.send(other).await.problem(422, "idempotency-key-reused");
    sqlx::query("UPDATE attachment_uploads SET touched_at = now() - interval '25 hours'")
        .execute(&app.owner)
        .await
        .unwrap();
    nothing_is_left(&app).await;
    app.finish().await;
}

#[tokio::test]
async fn the_number_of_incomplete_uploads_per_user_is_limited() {
    let (app, ada, task) = scene().await;
    let path = format!("/v1/tasks/{task}/uploads");
    let key = new_id().to_string();
    let keyed = || tus(&ada, Method::POST, &path).header("upload-length", 9).header("idempotency-key", &key);
    let first = sent(keyed(), 201).await;
    for _ in 0..99 {
        create(&ada, &task, 9).await;
    }
    let one_more = || ada.send(tus(&ada, Method::POST, &path).header("upload-length", 9));
    one_more().await.problem(429, "rate-limited");
    assert_eq!(header(&sent(keyed(), 201).await, "location"), header(&first, "location"), "no new one");
    sent(tus(&ada, Method::DELETE, header(&first, "location")), 204).await;
    assert_eq!(one_more().await.status, 201);
    app.finish().await;
}

#[tokio::test]
async fn tus_capabilities_are_declared_and_unsupported_extensions_are_refused() {
    let (app, ada, task) = scene().await;
    let path = format!("/v1/tasks/{task}/uploads");
    let anonymous = app.anonymous();
    for path in [path.clone(), format!("{path}/{}", new_id())] {
        let offered = anonymous.request(Method::OPTIONS, &path).header("origin", "https://example.com");
        let offered = sent(offered, 204).await;
        for (name, value) in [
            ("tus-version", "1.0.0"),
            ("tus-resumable", "1.0.0"),
            ("tus-extension", "creation,expiration,termination,checksum"),
            ("tus-checksum-algorithm", "sha1,sha256"),
            ("tus-max-size", "2147483648"),
            ("access-control-allow-origin", "*"),
        ] {
            assert_eq!(header(&offered, name), value, "{name}");
        }
        // Preflights are answered as on all other routes.
        let preflight = anonymous.request(Method::OPTIONS, &path).header("origin", "https://example.com");
        let preflight = sent(preflight.header("access-control-request-method", "PATCH"), 200).await;
        assert_eq!(header(&preflight, "access-control-allow-methods"), "*");
    }
    let other_route = anonymous.send(anonymous.request(Method::OPTIONS, "/v1/projects")).await;
    assert_eq!((other_route.status.as_u16(), other_route.header("allow").contains("POST")), (204, true));
    for (name, value) in [
        ("upload-concat", "partial"),
        ("upload-concat", "final;/v1/tasks/a/uploads/b"),
        ("upload-concat", "x"),
        ("upload-defer-length", "1"),
    ] {
        let request = tus(&ada, Method::POST, &path).header("upload-length", 5).header(name, value);
        let refused = ada.send(request).await;
        refused.problem(400, "malformed");
        assert_eq!(refused.header("tus-resumable"), "1.0.0");
    }
    let old = ada.request(Method::POST, &path).header("tus-resumable", "0.2.2").header("upload-length", 5);
    let old = ada.send(old).await;
    assert_eq!(old.header("tus-version"), "1.0.0");
    old.problem(412, "upload-protocol");
    app.finish().await;
}

#[tokio::test]
async fn a_part_with_a_wrong_checksum_is_discarded() {
    let (app, ada, task) = scene().await;
    let bytes = file(2 * PART + 500);
    let upload = create(&ada, &task, bytes.len()).await;
    let sha256 = |bytes: &[u8]| format!("sha256 {}", BASE64_STANDARD.encode(Sha256::digest(bytes)));
    let with = |offset: usize, end: usize, sum: &str| {
        patch(&ada, &upload, offset, bytes[offset..end].to_vec()).header("upload-checksum", sum)
    };
    // More than a part, so that some of it was stored before the checksum could be verified.
    ada.send(with(0, PART + 7, &sha256(b"other"))).await.problem(460, "checksum-mismatch");
    assert_eq!(offset(&ada, &upload).await, 0);
    sent(with(0, 1000, &sha256(&bytes[..1000])), 204).await;
    ada.send(with(1000, PART + 7, &sha256(&bytes[..1000]))).await.problem(460, "checksum-mismatch");
    assert_eq!(offset(&ada, &upload).await, 1000);
    for bad in ["sha256", "md5 1B2M2Y8AsgTpgAmY7PhCfg==", "sha1 x", "sha1 1B2M2Y8AsgTpgAmY7PhCfg=="] {
        ada.send(with(1000, 1001, bad)).await.problem(400, "malformed");
    }
    // The SHA-1 of "abc" (FIPS 180).
    let small = create(&ada, &task, 3).await;
    let sha1 = "sha1 qZk+NkcGgWq6PiVxeFDCbJzQ2J0=";
    ada.send(patch(&ada, &small, 0, "abd").header("upload-checksum", sha1)).await.problem(460, "checksum-mismatch");
    let small = sent(patch(&ada, &small, 0, "abc").header("upload-checksum", sha1), 204).await;
    assert_ne!(header(&small, "taskfold-attachment-id"), "");
    let last = sent(with(1000, bytes.len(), &sha256(&bytes[1000..])), 204).await;
    let location = format!("/v1/tasks/{task}/attachments/{}", header(&last, "taskfold-attachment-id"));
    let reply = json!({"position": header(&last, "taskfold-position").parse::<i64>().unwrap()});
    assert!(sent(content(&ada, &location, &reply), 200).await.bytes().await.unwrap() == bytes);
    app.finish().await;
}

#[tokio::test]
async fn a_header_may_override_the_method() {
    let (app, ada, task) = scene().await;
    let upload = create(&ada, &task, 10).await;
    let over = |method: &str| tus(&ada, Method::POST, &upload).header("x-http-method-override", method);
    let bytes = over("PATCH").header("content-type", "application/offset+octet-stream").header("upload-offset", 0);
    sent(bytes.body(file(4)), 204).await;
    assert_eq!(header(&sent(over("HEAD"), 200).await, "upload-offset"), "4");
    ada.send(over("PUT")).await.problem(405, "method-not-allowed");
    ada.send(tus(&ada, Method::POST, &upload)).await.problem(405, "method-not-allowed");
    sent(over("DELETE"), 204).await;
    ada.get(&upload).await.problem(404, "not-found");
    app.finish().await;
}
