//! Uploads with tus-js-client, the library that browsers upload with, on Node.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::*;
use crate::harness::data_dir;

/// Folder in which the library is installed, for all tests of this run. `None` without Node, which is an error with
/// TASKFOLD_REQUIRE_NODE.
async fn installed() -> Option<&'static Path> {
    static INSTALLED: tokio::sync::OnceCell<Option<PathBuf>> = tokio::sync::OnceCell::const_new();
    INSTALLED
        .get_or_init(|| async {
            let runs = async |program: &str| {
                let mut version = Command::new(program);
                version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
                version.status().await.is_ok_and(|status| status.success())
            };
            if !runs("node").await || !runs("npm").await {
                assert!(
                    std::env::var_os("TASKFOLD_REQUIRE_NODE").is_none(),
                    "node and npm are required, and not there"
                );
                // Written directly, because the output of macros is captured while a test passes.
                std::io::stderr().write_all(b"SKIPPED: uploads with tus-js-client need node and npm\n").unwrap();
                return None;
            }
            let dir = data_dir("tus-client");
            std::fs::create_dir_all(&dir).unwrap();
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tus_client");
            for name in ["package.json", "package-lock.json", "upload.mjs"] {
                std::fs::copy(source.join(name), dir.join(name)).unwrap();
            }
            let mut install = Command::new("npm");
            install.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&dir);
            let output = install.output().await.unwrap();
            assert!(output.status.success(), "npm ci: {}", String::from_utf8_lossy(&output.stderr));
            Some(dir)
        })
        .await
        .as_deref()
}

/// Result of an upload with these options of the library.
async fn upload(dir: &Path, ada: &Actor, task: &str, what: Value) -> Value {
    let mut wanted = json!({"endpoint": format!("{}/v1/tasks/{task}/uploads", ada.url), "token": ada.token});
    wanted.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
    let mut node = Command::new("node");
    node.arg("upload.mjs").arg(wanted.to_string()).current_dir(dir);
    let output = node.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn tus_js_client_uploads_resumes_and_reports_unsupported_features() {
    let Some(dir) = installed().await else { return };
    let (app, ada, task) = scene().await;
    let bytes = 2 * PART + 500;
    let plain = json!({"bytes": bytes, "options": {}});
    let in_one = json!({"bytes": 1000, "options": {"chunkSize": 1_000_000}});
    let by_post = json!({"bytes": bytes, "options": {"overridePatchMethod": true}});
    let resumed = json!({"bytes": bytes, "breakAfter": PART, "options": {}});
    for what in [plain, in_one, by_post, resumed] {
        let done = upload(dir, &ada, &task, what.clone()).await;
        assert_eq!((&done["ok"], &done["broken"]), (&json!(true), &json!(!what["breakAfter"].is_null())), "{done}");
        let reply = json!({"position": app.head().await});
        let location = format!("/v1/tasks/{task}/attachments/{}", done["attachment"].as_str().unwrap());
        let response = sent(content(&ada, &location, &reply), 200).await;
        assert!(response.bytes().await.unwrap() == file(usize::try_from(what["bytes"].as_u64().unwrap()).unwrap()));
    }
    // Uploads of parts of a file are not offered, and do not become files.
    let head = app.head().await;
    let parallel = upload(dir, &ada, &task, json!({"bytes": bytes, "options": {"parallelUploads": 3}})).await;
    assert_eq!((&parallel["ok"], &parallel["status"]), (&json!(false), &json!(400)), "{parallel}");
    assert!(parallel["message"].as_str().unwrap().contains("concatenation"), "{parallel}");
    assert_eq!(app.head().await, head);
    app.finish().await;
}
