//! Secrets come from the environment or from files, and appear neither in the help nor in errors or logs.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use serde_json::json;
use tokio::process::Command;

use crate::harness::{App, data_dir};

const SECRET: &str = "hunter2";

/// Runs the program to its end with these variables only.
async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (Output, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_taskfold"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .await
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output, text)
}

/// Variables with secrets.
const VARIABLES: [&str; 8] = [
    "DATABASE_URL",
    "TASKFOLD_COMMAND_DATABASE_URL",
    "TASKFOLD_QUERY_DATABASE_URL",
    "TASKFOLD_FEED_DATABASE_URL",
    "TASKFOLD_PROJECTOR_DATABASE_URL",
    "NATS_URL",
    "TASKFOLD_S3_SECRET_ACCESS_KEY",
    "TASKFOLD_TOKEN",
];

#[tokio::test]
async fn no_secret_is_printed() {
    let environment: Vec<(&str, &str)> = VARIABLES.iter().map(|name| (*name, SECRET)).collect();
    for arguments in [&["--help"][..], &["import", "trello", "--help"], &["command-api", "--help"]] {
        let (output, text) = run(arguments, &environment).await;
        assert!(output.status.success() && !text.contains(SECRET), "{arguments:?}: {text}");
        for name in VARIABLES.iter().filter(|name| **name != "TASKFOLD_TOKEN" || arguments.len() == 3) {
            assert!(text.contains(&format!("{name}_FILE")), "{name} has no file: {text}");
        }
    }
    // Values that are no URLs, and servers that do not answer.
    let (output, text) = run(&["command-api"], &environment).await;
    assert!(!output.status.success() && text.contains("--database-url") && !text.contains(SECRET), "{text}");
    let database = format!("postgres://ada:{SECRET}@127.0.0.1:1/db");
    let (output, text) = run(&["migrate"], &[("DATABASE_URL", &database), ("TASKFOLD_LOG", "debug")]).await;
    assert!(!output.status.success() && !text.contains(SECRET), "{text}");
    let app = App::start().await;
    let nats = format!("nats://ada:{SECRET}@127.0.0.1:1");
    let (output, text) =
        run(&["verify"], &[("DATABASE_URL", &app.database_url), ("NATS_URL", &nats), ("TASKFOLD_LOG", "debug")]).await;
    assert!(!output.status.success() && !text.contains(SECRET), "{text}");
    app.stop().await;
}

#[tokio::test]
async fn secrets_are_read_from_files() {
    let app = App::start().await;
    let dir = data_dir("secrets");
    std::fs::create_dir_all(&dir).unwrap();
    let file = |name: &str, content: &str| {
        let path = dir.join(name);
        std::fs::write(&path, format!("{content}\n")).unwrap();
        path.display().to_string()
    };
    let (database, nats) = (file("database", &app.database_url), file("nats", &app.nats_url));
    let servers = [("DATABASE_URL_FILE", database.as_str()), ("NATS_URL_FILE", nats.as_str())];
    let (output, text) = run(&["verify", "--stream", &app.stream, "--log", "error"], &servers).await;
    assert!(output.status.success(), "{text}");

    let ada = app.person("ada").await;
    let token = file("token", ada.token.as_deref().unwrap());
    let board = file("board.json", &json!({"id": "b", "name": "B", "lists": [], "cards": []}).to_string());
    let import = ["import", "trello", board.as_str(), "--server", app.url.as_str()];
    let (output, text) = run(&import, &[("TASKFOLD_TOKEN_FILE", &token)]).await;
    assert!(output.status.success(), "{text}");
    let (output, text) = run(&[&import[..], &["--token-file", &token]].concat(), &[]).await;
    assert!(output.status.success(), "{text}");
    let empty = file("empty", "");
    for (variables, expected) in [
        (vec![], "--token"),
        (vec![("TASKFOLD_TOKEN_FILE", empty.as_str())], "must not be empty"),
        (vec![("TASKFOLD_TOKEN_FILE", "/nowhere")], "must be a file that can be read"),
    ] {
        let (output, text) = run(&import, &variables).await;
        assert!(!output.status.success() && text.contains(expected), "{text}");
    }
    let missing = [("DATABASE_URL_FILE", "/nowhere"), ("NATS_URL_FILE", empty.as_str())];
    let (_, text) = run(&["migrate"], &missing).await;
    assert!(text.contains("--database-url-file") && text.contains("--nats-url-file"), "all at once: {text}");
    app.finish().await;
}

/// What an earlier version, or an operator, left open.
#[tokio::test]
async fn an_open_data_directory_is_closed_at_start() {
    let dir = data_dir("open");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    std::fs::create_dir_all(dir.join("attachments")).unwrap();
    for path in [dir.clone(), dir.join("attachments")] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    let options = taskfold_embedded::Options {
        data_dir: dir.clone(),
        postgres: true,
        nats: Some("TASKFOLD".to_owned()),
        durability: taskfold_embedded::Durability::TestsOnly,
    };
    let stack = taskfold_embedded::Stack::start(options).await.unwrap();
    // Root's PostgreSQL runs as another user, who passes through to its own folder.
    let expected = if nix::unistd::geteuid().is_root() { 0o711 } else { 0o700 };
    assert_eq!(mode(&dir), expected);
    for folder in ["attachments", "nats", "postgres"] {
        assert_eq!(mode(&dir.join(folder)), 0o700, "{folder}");
    }
    for file in ["run.json", "lock"] {
        assert_eq!(mode(&dir.join(file)), 0o600, "{file}");
    }
    stack.stop().await;
}
