//! The program's statements use every privilege that a role has: one that none uses is one that only an attacker needs.

use std::path::{Path, PathBuf};

use sqlx::Row as _;

use crate::harness::App;

/// Source folders whose statements run with a role.
const SOURCES: [(&str, &[&str]); 4] = [
    // Readiness looks for rows that are missing beside the log.
    ("taskfold_command", &["command-api/src", "crates", "src", "projector/src/write_side"]),
    ("taskfold_query", &["query-api/src", "crates", "src"]),
    ("taskfold_feed", &["query-api/src", "crates", "src"]),
    ("taskfold_projector", &["projector/src", "crates", "src"]),
];

fn texts(folder: &Path, into: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            texts(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(std::fs::read_to_string(path).unwrap());
        }
    }
}

/// Tells whether a file has a statement that needs the privilege.
fn uses(text: &str, privilege: &str, table: &str) -> bool {
    let has = |before: &str| {
        text.match_indices(&format!("{before} {table}"))
            .any(|(at, found)| !text[at + found.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    match privilege {
        "SELECT" => {
            has("FROM") || has("JOIN") || has("INTO") || has("UPDATE") || text.contains(&format!("\"{table}\""))
        }
        "INSERT" => has("INTO"),
        "UPDATE" => {
            has("UPDATE") || has("INTO") && text.contains("DO UPDATE") || has("FROM") && text.contains("FOR UPDATE")
        }
        "DELETE" => has("DELETE FROM"),
        other => panic!("{other} on {table} is a privilege that no role needs"),
    }
}

#[tokio::test]
async fn every_privilege_of_a_role_is_used() {
    let app = App::start().await;
    // The statements for read tables are made of the names of their rows.
    let granted = sqlx::query(
        "SELECT g.grantee::regrole::text AS role, c.relname::text AS name, g.privilege_type AS privilege \
         FROM pg_class c, aclexplode(c.relacl) AS g WHERE c.relnamespace = 'public'::regnamespace \
         AND g.grantee::regrole::text = ANY (taskfold_access_roles()) AND c.relname <> '_sqlx_migrations' \
         AND NOT (g.grantee = 'taskfold_projector'::regrole AND (c.relname = ANY (taskfold_generation_tables()) \
             AND c.relname <> 'projection_checkpoint' OR c.relname LIKE 'past\\_%'))",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap();
    assert!(granted.len() > 60);
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut unused = Vec::new();
    for (role, folders) in SOURCES {
        let mut files = Vec::new();
        folders.iter().for_each(|folder| texts(&root.join(folder), &mut files));
        for row in granted.iter().filter(|row| row.get::<&str, _>("role") == role) {
            let (table, privilege): (&str, &str) = (row.get("name"), row.get("privilege"));
            if !files.iter().any(|text| uses(text, privilege, table)) {
                unused.push(format!("{role}: {privilege} on {table}"));
            }
        }
    }
    assert_eq!(unused, [""; 0], "privileges that no statement uses");
    app.finish().await;
}
