//! `taskfold openapi`: writes the committed API documents, or checks that they are current.

use std::path::Path;

use anyhow::Context as _;
use utoipa::openapi::OpenApi;

/// Writes the documents. With `check` it writes nothing, and fails if a file is not current.
pub fn run(check: bool, dir: &Path) -> anyhow::Result<()> {
    let documents = [
        ("command-api.json", text(&taskfold_command_api::document())?),
        ("query-api.json", text(&taskfold_query_api::document())?),
    ];
    if !check {
        std::fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
    }
    let mut stale = Vec::new();
    for (name, text) in documents {
        let file = dir.join(name);
        if std::fs::read_to_string(&file).is_ok_and(|existing| existing == text) {
            continue;
        }
        if check {
            stale.push(file.display().to_string());
        } else {
            std::fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
            println!("wrote {}", file.display());
        }
    }
    anyhow::ensure!(stale.is_empty(), "not current: {}; `taskfold openapi` writes them", stale.join(", "));
    Ok(())
}

fn text(document: &OpenApi) -> anyhow::Result<String> {
    Ok(document.to_pretty_json()? + "\n")
}
