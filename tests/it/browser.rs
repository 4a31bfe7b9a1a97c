//! Tests that need a real browser: Chromium's own `EventSource`, its media elements, and its rules for running pages.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Html;
use axum::routing::{get, post};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use crate::harness::{Actor, App, PATIENCE, data_dir, skipped};

/// Looks for a browser. Without one, the tests that need it are skipped with a message; with TASKFOLD_REQUIRE_BROWSER
/// this is an error.
fn is_installed() -> bool {
    let version = Command::new("chromium").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let is_installed = version.is_ok_and(|status| status.success());
    if !is_installed {
        assert!(std::env::var_os("TASKFOLD_REQUIRE_BROWSER").is_none(), "chromium is required and missing");
        skipped("a test needs chromium (`apt-get install chromium`)");
    }
    is_installed
}

/// A page in Chromium that reports to the test.
struct Browser {
    chromium: Child,
    messages: mpsc::UnboundedReceiver<Value>,
}

impl Browser {
    /// Opens a page. `script` runs in it, where `say(value)` sends a value to the test.
    async fn open(name: &str, script: &str) -> Self {
        let (sender, messages) = mpsc::unbounded_channel();
        let page = format!(
            "<!doctype html><meta charset=utf-8><script>\
             let said = Promise.resolve();\
             const say = value => said = said.then(() => fetch('/say', {{method: 'POST', body: JSON.stringify(value)}}));\
             addEventListener('error', event => say({{error: String(event.message)}}));\
             addEventListener('unhandledrejection', event => say({{error: String(event.reason)}}));\
             </script><body><script type=module>{script}</script>"
        );
        let site = Router::new()
            .route("/", get(async move || Html(page)))
            .route(
                "/say",
                post(async |State(sender): State<mpsc::UnboundedSender<Value>>, body: String| {
                    let _ = sender.send(serde_json::from_str(&body).unwrap());
                }),
            )
            .with_state(sender);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, site).await.unwrap() });
        let chromium = Command::new("chromium")
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args(["--disable-background-networking", "--autoplay-policy=no-user-gesture-required"])
            .arg(format!("--user-data-dir={}", data_dir(&format!("chromium-{name}")).display()))
            .arg(url)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { chromium, messages }
    }

    async fn message(&mut self) -> Value {
        let message =
            tokio::time::timeout(PATIENCE, self.messages.recv()).await.expect("the page sends a message").unwrap();
        assert!(message.get("error").is_none(), "{message}");
        message
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.chromium.kill();
        let _ = self.chromium.wait();
    }
}

/// A proxy to the program that forwards responses in small pieces, and can be cut.
async fn cuttable_proxy(url: &str, whole: Arc<watch::Sender<bool>>) -> String {
    let target = url.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let (mut state, target) = (whole.subscribe(), target.clone());
            tokio::spawn(async move {
                let Ok(server) = TcpStream::connect(target).await else { return };
                let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                    (client.into_split(), server.into_split());
                let answers = async {
                    // Responses are split at any byte, also within a character.
                    let (mut piece, mut size) = ([0; 64], 1);
                    while let Ok(count @ 1..) = from_server.read(&mut piece[..size]).await {
                        if to_client.write_all(&piece[..count]).await.is_err() {
                            return;
                        }
                        size = size % 61 + 1;
                    }
                };
                tokio::select! {
                    () = answers => {}
                    _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
                    _ = async { state.borrow_and_update(); state.wait_for(|whole| !whole).await } => {}
                }
            });
        }
    });
    url
}

const FOLLOW: &str = r#"
let cursor = SINCE, open = 0;
const call = (method, path) => fetch("SITE" + path, {method, headers: {Authorization: "Bearer TOKEN"}}).then(r => r.json());
async function follow() {
    const { ticket } = await call("POST", "/v1/stream-tickets");
    const source = new EventSource(`SITE/v1/stream?projects=PROJECT&me=true&since=${cursor}&ticket=${ticket}`);
    open += 1;
    for (const type of ["hello", "heartbeat", "task.created", "task.renamed", "task.commented", "notification"]) {
        source.addEventListener(type, frame => {
            if (frame.lastEventId) cursor = frame.lastEventId;
            if (type !== "heartbeat") say({type, id: frame.lastEventId, data: JSON.parse(frame.data), open});
        });
    }
    source.addEventListener("reauth", frame => { source.close(); follow(); });
}
follow();
"#;

/// Line ends, characters that JavaScript once treated as line ends, characters outside of a single UTF-16 unit, and the
/// string terminator of C. The last four are data of the vectors of launchdarkly/sse-contract-tests (Apache-2.0), which
/// are about line ends and pieces.
const ODD: [&str; 9] = [
    "two\nlines\r\nand\rmore",
    "\u{2028}\u{2029}\u{85}",
    "🦊👩‍👩‍👧 e\u{301}",
    "\\u0000 \" ' </script> &amp;",
    " leading and trailing ",
    "Hello\nWorld",
    "event 2 line 1\nevent 2 line 2",
    "line1\n\nline3",
    "\nline2\nline3",
];

#[tokio::test]
async fn event_source_reads_every_frame_unchanged_and_resumes_at_its_cursor() {
    if !is_installed() {
        return;
    }
    let app = App::start().await;
    let (ada, bea) = (app.person("ada").await, app.person("bea").await);
    let (project, _) = ada.project("P").await;
    ada.put(&format!("/v1/projects/{project}/members/{}", bea.user_id), json!({"role": "member"})).await.expect(201);
    let task = ada.task(&project, "T").await;
    app.settle().await;
    let since = app.head().await;
    let whole = Arc::new(watch::Sender::new(true));
    let script = FOLLOW.replace("SITE", &cuttable_proxy(&app.url, Arc::clone(&whole)).await);
    let script = script.replace("TOKEN", bea.token.as_ref().unwrap()).replace("PROJECT", &project);
    let mut browser = Browser::open("events", &script.replace("SINCE", &since.to_string())).await;
    let hello = browser.message().await;
    assert_eq!((&hello["type"], &hello["id"]), (&json!("hello"), &json!(since.to_string())));

    let mut expected = Vec::new();
    let comments = format!("/v1/tasks/{task}/comments");
    let comment = |text: String| ada.post(&comments, json!({"text": text}));
    for text in ODD {
        let reply = comment(format!("@bea {text}.")).await.expect(201);
        expected.push(reply["events"][0].clone());
    }
    let (mut seen, mut notifications, mut last_open) = (Vec::new(), Vec::new(), 0);
    while seen.len() < 2 * ODD.len() {
        let message = browser.message().await;
        last_open = message["open"].as_u64().unwrap();
        match message["type"].as_str().unwrap() {
            "notification" => {
                // The fractional id before its event.
                assert_eq!(message["id"], json!(format!("{}.5", message["data"]["position"].as_i64().unwrap() - 1)));
                assert_eq!(message["data"]["kind"], "mentioned");
                if !notifications.contains(&message["data"]["id"]) {
                    notifications.push(message["data"]["id"].clone());
                }
            }
            "hello" => {}
            _ => {
                assert_eq!(message["id"], json!(message["data"]["position"].to_string()));
                seen.push(message["data"].clone());
            }
        }
        if seen.len() == ODD.len() && last_open == 1 && *whole.borrow() {
            // It reconnects by itself with the used ticket, receives `reauth`, and opens a new stream from its cursor.
            whole.send_replace(false);
            for text in ODD {
                expected.push(comment(format!("@bea again {text}.")).await.expect(201)["events"][0].clone());
            }
            whole.send_replace(true);
        }
    }
    let positions = |changes: &[Value]| changes.iter().map(|c| c["position"].as_i64().unwrap()).collect::<Vec<_>>();
    assert_eq!(positions(&seen), positions(&expected));
    assert!(seen == expected, "a frame was read differently");
    assert_eq!(notifications.len(), expected.len());
    assert_eq!(last_open, 2);
    drop(browser);
    app.finish().await;
}

/// A tone of one second for each of `seconds`, 8 bits, 8 kHz.
fn wav(seconds: u32) -> Vec<u8> {
    let size = seconds * 8000;
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + size).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend(8000_u32.to_le_bytes());
    bytes.extend(8000_u32.to_le_bytes());
    bytes.extend(b"\x01\0\x08\0data");
    bytes.extend(size.to_le_bytes());
    bytes.extend((0..size).map(|i| 128 + (i % 40) as u8));
    bytes
}

/// Attaches a file; returns the address of its content, with a ticket.
async fn attached(ada: &Actor, task: &str, name: &str, content_type: &str, bytes: Vec<u8>) -> String {
    let path = format!("/v1/tasks/{task}/attachments?file_name={name}");
    let request = ada.request(Method::POST, &path).header("content-type", content_type).body(bytes);
    let reply = ada.send(request).await;
    let position = reply.header("location").to_owned();
    let at = reply.expect(201)["position"].clone();
    let ticket = ada.post("/v1/stream-tickets", json!({})).await.expect(201)["ticket"].as_str().unwrap().to_owned();
    format!("{}{position}/content?ticket={ticket}&min_position={at}", ada.url)
}

#[tokio::test]
async fn a_recording_can_be_sought() {
    if !is_installed() {
        return;
    }
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let task = ada.task(&project, "T").await;
    let url = attached(&ada, &task, "long.wav", "audio/wav", wav(1800)).await;
    app.settle().await;
    let script = r#"
        const video = document.createElement("video");
        video.muted = true;
        video.src = "SRC";
        video.onerror = () => say({error: video.error.message});
        video.onloadedmetadata = () => { video.currentTime = 1500; };
        video.onseeked = () => say({at: video.currentTime, of: video.duration});
    "#;
    let mut browser = Browser::open("media", &script.replace("SRC", &url)).await;
    assert_eq!(browser.message().await, json!({"at": 1500, "of": 1800}));
    drop(browser);
    app.finish().await;
}

#[tokio::test]
async fn scripts_of_an_uploaded_page_are_not_executed() {
    if !is_installed() {
        return;
    }
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let task = ada.task(&project, "T").await;
    let page = "<!doctype html><script>parent.postMessage('ran', '*'); top.postMessage('ran', '*')</script>";
    let url = attached(&ada, &task, "page.html", "text/html", page.into()).await;
    let image = format!("<svg xmlns='http://www.w3.org/2000/svg'>{}</svg>", page.replace("<!doctype html>", ""));
    let svg = attached(&ada, &task, "page.svg", "image/svg+xml", image.into()).await;
    app.settle().await;
    let script = r#"
        let ran = 0;
        addEventListener("message", () => { ran += 1; });
        const frame = src => new Promise(resolve => {
            const frame = document.createElement("iframe");
            frame.src = src;
            document.body.append(frame);
            setTimeout(resolve, 1500);
        });
        const own = new Blob(["PAGE"], {type: "text/html"});
        await frame(window.URL.createObjectURL(own));
        const bare = ran;
        await Promise.all([frame("SRC"), frame("SVG")]);
        say({bare, uploaded: ran - bare});
    "#;
    let inline = page.replace("</script>", "<\\/script>");
    let script = script.replace("PAGE", &inline).replace("SRC", &url).replace("SVG", &svg);
    let mut browser = Browser::open("page", &script).await;
    // The same page runs from a blob URL, without the headers of attachments.
    assert_eq!(browser.message().await, json!({"bare": 2, "uploaded": 0}));
    drop(browser);
    app.finish().await;
}
