//! Rules on the dependencies between crates and on the structure of the code.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// Crates that can be used without HTTP.
const WITHOUT_HTTP: [&str; 7] = [
    "taskfold-domain",
    "taskfold-event-log",
    "taskfold-commands",
    "taskfold-imports",
    "taskfold-attachments",
    "taskfold-live",
    "taskfold-projector",
];

/// The three services share event JSON, tables and Changes, and never import one another.
#[test]
fn crates_have_only_allowed_dependencies() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let may = |package: &str| -> &[&str] {
        match package {
            "taskfold-domain" | "taskfold-embedded" => &[],
            "taskfold-event-log" => &["taskfold-domain"],
            "taskfold-attachments" | "taskfold-commands" | "taskfold-live" | "taskfold-projector" | "taskfold-web" => {
                &["taskfold-domain", "taskfold-event-log"]
            }
            "taskfold-imports" => &["taskfold-commands", "taskfold-domain", "taskfold-event-log"],
            "taskfold-command-api" => &[
                "taskfold-attachments",
                "taskfold-commands",
                "taskfold-domain",
                "taskfold-event-log",
                "taskfold-imports",
                "taskfold-web",
            ],
            "taskfold-query-api" => {
                &["taskfold-attachments", "taskfold-domain", "taskfold-event-log", "taskfold-live", "taskfold-web"]
            }
            "taskfold" => &[
                "taskfold-attachments",
                "taskfold-command-api",
                "taskfold-domain",
                "taskfold-embedded",
                "taskfold-event-log",
                "taskfold-live",
                "taskfold-projector",
                "taskfold-query-api",
                "taskfold-web",
            ],
            // The program, commands without HTTP, and the columns that a projector derives.
            "taskfold-bench" => &[
                "taskfold",
                "taskfold-commands",
                "taskfold-domain",
                "taskfold-embedded",
                "taskfold-event-log",
                "taskfold-projector",
            ],
            other => panic!("{other} is new: state here what it may depend on"),
        }
    };
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let without_http = WITHOUT_HTTP.contains(&name);
        for dependency in package["dependencies"].as_array().unwrap() {
            let dependency_name = dependency["name"].as_str().unwrap();
            let ours = dependency_name.starts_with("taskfold") && dependency["kind"].is_null();
            let http = ["axum", "http", "hyper", "tower-http"].contains(&dependency_name);
            assert!(!(without_http && http), "{name} has no HTTP, and must not depend on {dependency_name}");
            assert!(!ours || may(name).contains(&dependency_name), "{name} must not depend on {dependency_name}");
        }
    }
}

/// Library crates take their settings as values, which the program reads in one place. The embedded servers look for
/// binaries on the PATH.
#[test]
fn only_the_program_reads_the_environment() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["domain", "command-api", "projector", "query-api", "crates"].map(|name| root.join(name));
    let private_servers = root.join("crates/embedded");
    for path in sources(&folders) {
        let is_test = path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")));
        if !is_test && !path.starts_with(&private_servers) {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(!text.contains("env::var"), "{} reads the environment", path.display());
        }
    }
}

/// Names, labels and help texts of metrics are in one file, which the operating manual is compared with.
#[test]
fn metrics_are_recorded_through_the_registry_only() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["domain", "command-api", "projector", "query-api", "crates", "src"].map(|name| root.join(name));
    let registry = root.join("crates/event-log/src/metrics.rs");
    for path in sources(&folders).into_iter().filter(|path| *path != registry) {
        let text = std::fs::read_to_string(&path).unwrap();
        for recording in ["counter!(", "gauge!(", "histogram!("] {
            assert!(!text.contains(recording), "{} declares a metric", path.display());
        }
    }
}

/// A new event, command, refusal, kind or role must cause a compiler error wherever one is matched on, which a
/// catch-all arm would suppress. Matches on text need one, and so do those on enums of other crates, whose files are
/// exempt.
#[test]
fn matches_on_our_own_enums_have_no_catch_all_arms() {
    let allowed = [
        "command-api/src/http/attachments/content.rs",
        "crates/event-log/src/error_codes.rs",
        "crates/live/src/stream_end.rs",
        "projector/src/stream.rs",
        "src/server/connection_error.rs",
        "src/identity/key_set.rs",
    ];
    let folders = ["domain", "command-api", "projector", "query-api", "crates", "src"];
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in sources(&folders.map(|folder| root.join(folder))) {
        if !allowed.iter().any(|file| path.ends_with(file)) {
            let text = std::fs::read_to_string(&path).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            for (at, _) in lines.iter().enumerate().filter(|(_, line)| line.contains("_ =>")) {
                assert!(is_on_text(&lines[..at], lines[at]), "{}:{} is a catch-all arm", path.display(), at + 1);
            }
        }
    }
}

/// Returns whether the match with this arm is on text: its first arm, which is the line after that with `match`, starts
/// with a string, perhaps in a tuple or an option. `before`: the lines before the arm.
fn is_on_text(before: &[&str], arm: &str) -> bool {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let is_begin = |line: &&str| !line.trim().is_empty() && indent(line) < indent(arm);
    let Some(begin) = before.iter().rposition(is_begin) else { return false };
    let first = before[begin + 1..].iter().map(|line| line.trim()).find(|line| !line.starts_with("//"));
    first.is_some_and(|first| ["\"", "(\"", "Some(\""].iter().any(|text| first.starts_with(text)))
}

#[test]
fn catch_all_arms_are_only_allowed_in_matches_on_text() {
    let is_allowed = |text: &str| {
        let lines: Vec<&str> = text.lines().collect();
        let at = lines.iter().position(|line| line.contains("_ =>")).unwrap();
        is_on_text(&lines[..at], lines[at])
    };
    assert!(is_allowed("match kind {\n    // Cards.\n    \"card\" => {\n        1\n    }\n    _ => 0,\n}"));
    assert!(!is_allowed("match kind {\n    Kind::Card => name(\"card\"),\n    _ => 0,\n}"));
}

/// An operation is a file with a `handler`, and a group of operations a folder with a `router`. One that its parent
/// module does not add to its routes would compile but be unreachable.
#[test]
fn every_handler_and_every_router_is_routed() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut handlers = 0;
    for service in ["command-api/src/http", "query-api/src/http"].map(|folder| root.join(folder)) {
        for path in sources(std::slice::from_ref(&service)) {
            let is_folder = path.ends_with("mod.rs");
            let module = if is_folder { path.parent().unwrap() } else { &path };
            let above = module.parent().unwrap().join("mod.rs");
            if module == service {
                continue;
            }
            let name = module.file_stem().unwrap().to_str().unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            for (declaration, function) in [("pub async fn handler(", "handler"), ("pub fn router(", "router")] {
                if text.contains(declaration) {
                    handlers += usize::from(function == "handler");
                    let routes = std::fs::read_to_string(&above).unwrap();
                    let call = format!("{name}::{function}");
                    let is_routed = routes.match_indices(&call).any(|(at, _)| {
                        routes[..at].ends_with([' ', '(']) && routes[at + call.len()..].starts_with([',', ')', '('])
                    });
                    assert!(is_routed, "{} is not in the routes of {}", path.display(), above.display());
                }
            }
        }
    }
    assert!(handlers > 100, "only {handlers} handlers were found");
}

/// The ids and secrets of a fixed clock are the same in each run.
#[test]
fn no_code_of_the_program_has_a_fixed_clock() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["command-api/src", "projector/src", "query-api/src", "crates", "src"].map(|name| root.join(name));
    let declares = |path: &std::path::Path| {
        ["clock.rs", "lib.rs"].iter().any(|file| path == root.join("crates/event-log/src").join(file))
    };
    let is_test = |path: &PathBuf| path.file_name().is_some_and(|name| name == "tests.rs");
    for path in sources(&folders).into_iter().filter(|path| !declares(path) && !is_test(path)) {
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        assert!(!code.contains("FixedClock"), "{} has a fixed clock", path.display());
    }
}

/// Tests wait for a condition, which is as fast as the machine and never too short. Time itself is tested, or paces a
/// client, where a comment says so. The harness polls, and the faults last for a time by definition.
#[test]
fn a_sleep_in_a_test_has_a_comment_that_says_why() {
    let calls = [concat!("sleep", "("), concat!("sleep", "_until(")];
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    for path in sources(std::slice::from_ref(&root)) {
        if path.starts_with(root.join("harness")) || path.starts_with(root.join("faults")) {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let mut line_before = "";
        for (n, line) in text.lines().enumerate() {
            let has_reason = [line_before, line].iter().any(|line| line.contains("// Time: "));
            let sleeps = calls.iter().any(|call| line.contains(call));
            assert!(!sleeps || has_reason, "{}:{} sleeps without a reason", path.display(), n + 1);
            line_before = line;
        }
    }
}

/// All Rust files in these folders.
fn sources(folders: &[PathBuf]) -> Vec<PathBuf> {
    let (mut folders, mut files) = (folders.to_vec(), Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|name| name == "rs") {
                files.push(path);
            }
        }
    }
    files
}
