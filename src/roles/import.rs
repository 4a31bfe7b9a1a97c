//! `taskfold import`: sends an export of another program to a running server, and reports the progress of the import.

use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use reqwest::{Client, Response, Url};
use serde::Deserialize;
use tokio_util::io::ReaderStream;

use crate::config::ImportFile;

/// Interval of polling the progress.
const POLL: Duration = Duration::from_millis(300);

/// Response of `GET /v1/imports/{id}`; fields that a newer server adds are ignored.
#[derive(Deserialize)]
struct Progress {
    state: String,
    total: Option<u64>,
    done: Option<u64>,
    #[serde(default)]
    skipped: Vec<Skipped>,
    project_id: Option<uuid::Uuid>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Skipped {
    kind: String,
    reason: String,
    count: u64,
}

/// Imports a file. `format` is the name of the server for it, such as `trello`.
pub async fn run(format: &str, import: ImportFile) -> anyhow::Result<()> {
    let server: Url = import.server.parse().context("reading --server")?;
    let client = Client::builder().connect_timeout(Duration::from_secs(10)).build()?;
    let token = import.token()?;
    let status_url = send(&client, &server, format, &import, &token).await?;

    let bar = ProgressBar::no_length().with_style(ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg}")?);
    let last = loop {
        let answer = client.get(status_url.clone()).bearer_auth(&token).send().await?;
        let progress: Progress = accepted(answer).await?.json().await.context("reading the import's state")?;
        if let Some(total) = progress.total {
            bar.set_length(total);
        }
        bar.set_position(progress.done.unwrap_or_default());
        bar.set_message(progress.state.clone());
        if !matches!(progress.state.as_str(), "queued" | "pending" | "running") {
            break progress;
        }
        tokio::time::sleep(POLL).await;
    };
    bar.abandon();
    summarise(&last)
}

/// Streams the file, so that its size does not matter. Returns the URL of the progress.
async fn send(client: &Client, server: &Url, format: &str, import: &ImportFile, token: &str) -> anyhow::Result<Url> {
    let file =
        tokio::fs::File::open(&import.file).await.with_context(|| format!("opening {}", import.file.display()))?;
    let length = file.metadata().await?.len();
    let mut url = server.join("/v1/imports")?;
    url.query_pairs_mut().append_pair("format", format);
    if let Some(project_id) = import.project_id {
        url.query_pairs_mut().append_pair("project_id", &project_id.to_string());
    }
    let answer = client
        .post(url)
        .bearer_auth(token)
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_LENGTH, length)
        .body(reqwest::Body::wrap_stream(ReaderStream::new(file)))
        .send()
        .await
        .context("sending the file")?;
    let answer = accepted(answer).await?;
    let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    Ok(server.join(location.context("the server sent no URL of the progress")?)?)
}

/// Fails with the detail of the problem if the server refused.
async fn accepted(answer: Response) -> anyhow::Result<Response> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    let status = answer.status();
    let problem: serde_json::Value = answer.json().await.unwrap_or_default();
    let detail = problem["detail"].as_str().or_else(|| problem["title"].as_str()).unwrap_or("no details");
    anyhow::bail!("the server refused ({status}): {detail}")
}

fn summarise(last: &Progress) -> anyhow::Result<()> {
    println!("{} of {} actions imported", last.done.unwrap_or_default(), last.total.unwrap_or_default());
    if let Some(project_id) = last.project_id {
        println!("project {project_id}");
    }
    for Skipped { kind, reason, count } in &last.skipped {
        println!("skipped: {count} x {kind}: {reason}");
    }
    anyhow::ensure!(last.state != "failed", "the import failed: {}", last.error.as_deref().unwrap_or("no details"));
    Ok(())
}
