use std::process::Command;

use serde_json::Value;

/// The three services meet in event JSON, tables and Changes, never in code.
#[test]
fn each_crate_depends_on_what_it_may() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let may = |package: &str| -> &[&str] {
        match package {
            "taskfold-domain" => &[],
            "taskfold-attachments" | "taskfold-event-log" => &["taskfold-domain"],
            "taskfold-openapi" | "taskfold-projector" => &["taskfold-domain", "taskfold-event-log"],
            "taskfold-command-api" | "taskfold-query-api" => {
                &["taskfold-attachments", "taskfold-domain", "taskfold-event-log", "taskfold-openapi"]
            }
            // Commands without HTTP, the program, and what a projector derives of rows that none wrote.
            "taskfold-bench" => &[
                "taskfold",
                "taskfold-command-api",
                "taskfold-domain",
                "taskfold-event-log",
                "taskfold-openapi",
                "taskfold-projector",
            ],
            "taskfold" => &[
                "taskfold-attachments",
                "taskfold-domain",
                "taskfold-event-log",
                "taskfold-openapi",
                "taskfold-command-api",
                "taskfold-projector",
                "taskfold-query-api",
            ],
            other => panic!("{other} is new: say here what it may depend on"),
        }
    };
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        for dependency in package["dependencies"].as_array().unwrap() {
            let dependency_name = dependency["name"].as_str().unwrap();
            let ours = dependency_name.starts_with("taskfold") && dependency["kind"].is_null();
            assert!(!ours || may(name).contains(&dependency_name), "{name} must not depend on {dependency_name}");
        }
    }
}

/// Library crates take ready values: settings are read in one place.
#[test]
fn only_the_program_reads_the_environment() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let libraries = ["domain", "attachments", "event-log", "openapi", "command-api", "projector", "query-api"];
    let mut folders: Vec<_> = libraries.iter().map(|library| root.join(library).join("src")).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(!text.contains("env::var"), "{} reads the environment", path.display());
            }
        }
    }
}
