//! The quota of a project's attachments.

use futures::future::join_all;
use taskfold_projector::write_side;

use super::*;
use crate::harness::{Answer, TestEnvironment};

async fn start(quota: usize) -> (App, Actor, String, String) {
    let app = App::start_with(&["--attachment-bytes-per-project", &quota.to_string()]).await;
    let (ada, project, task) = app.with_a_task().await;
    (app, ada, project, task)
}

async fn upload(actor: &Actor, task: &str, bytes: impl Into<reqwest::Body>) -> Answer {
    let request = actor.request(Method::POST, &format!("/v1/tasks/{task}/attachments?file_name=f"));
    actor.send(request.body(bytes)).await
}

/// A body of unknown length.
fn chunked(size: usize) -> reqwest::Body {
    let chunks = file(size).chunks(7).map(|chunk| std::io::Result::Ok(chunk.to_vec())).collect::<Vec<_>>();
    reqwest::Body::wrap_stream(futures::stream::iter(chunks))
}

async fn create(actor: &Actor, task: &str, length: usize) -> Answer {
    let request = actor.request(Method::POST, &format!("/v1/tasks/{task}/uploads"));
    actor.send(request.header("upload-length", length)).await
}

fn refused(answer: &Answer, used: usize, size: usize) {
    let problem = answer.problem(413, "quota-exceeded");
    assert_eq!((&problem["quota"], &problem["used"], &problem["size"]), (&json!(100), &json!(used), &json!(size)));
}

async fn rows(app: &App) -> Vec<(i64, String)> {
    sqlx::query_as("SELECT size, attachment_id::text FROM attachment_files ORDER BY 1, 2")
        .fetch_all(&app.owner)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_file_beyond_the_quota_is_refused_and_removal_makes_room() {
    let (app, ada, project, task) = start(100).await;
    let first = upload(&ada, &task, file(60)).await.expect(201);
    refused(&upload(&ada, &task, file(41)).await, 60, 41);
    refused(&upload(&ada, &task, chunked(41)).await, 60, 41);
    let form = reqwest::multipart::Form::new().part("file", reqwest::multipart::Part::bytes(file(41)).file_name("f"));
    let request = ada.request(Method::POST, &format!("/v1/tasks/{task}/attachments")).multipart(form);
    refused(&ada.send(request).await, 60, 41);
    refused(&create(&ada, &task, 41).await, 60, 41);
    eventually("only the first file is stored", || async { (stored(&app).await.len() == 1).then_some(()) }).await;
    assert_eq!(rows(&app).await.len(), 1);

    // Other tasks of the project share the quota, and other projects do not.
    let another = ada.task(&project, "another").await;
    refused(&upload(&ada, &another, file(41)).await, 60, 41);
    let (other_project, _) = ada.project("Other").await;
    let elsewhere = ada.task(&other_project, "elsewhere").await;
    upload(&ada, &elsewhere, file(100)).await.expect(201);
    // Exactly the rest, of unknown length.
    let second = upload(&ada, &another, chunked(40)).await.expect(201);
    refused(&upload(&ada, &task, file(1)).await, 100, 1);

    // A deleted task can be restored with its files.
    ada.delete(&format!("/v1/tasks/{another}")).await.expect(200);
    refused(&upload(&ada, &task, file(1)).await, 100, 1);
    ada.post(&format!("/v1/tasks/{another}/restore"), json!({})).await.expect(200);
    let path =
        |task: &str, added: &Value| format!("/v1/tasks/{task}/attachments/{}", added["created_id"].as_str().unwrap());
    ada.delete(&path(&another, &second)).await.expect(200);
    ada.delete(&path(&task, &first)).await.expect(200);
    eventually("the removed files make room", || async {
        (upload(&ada, &task, file(100)).await.status == 201).then_some(())
    })
    .await;
    app.settle().await;
    assert!(app.verify().await.is_clean());
    app.finish().await;
}

#[tokio::test]
async fn an_upload_in_several_requests_counts_with_its_length_from_its_beginning() {
    let (app, ada, _, task) = start(100).await;
    let created = create(&ada, &task, 80).await;
    let path = created.header("location").to_owned();
    created.expect(201);
    refused(&upload(&ada, &task, file(21)).await, 80, 21);
    refused(&create(&ada, &task, 21).await, 80, 21);
    // The same request again is the same upload.
    let key = new_id().to_string();
    for _ in 0..3 {
        let request = ada.request(Method::POST, &format!("/v1/tasks/{task}/uploads")).header("idempotency-key", &key);
        ada.send(request.header("upload-length", 20)).await.expect(201);
    }
    assert_eq!(rows(&app).await.iter().map(|(size, _)| *size).collect::<Vec<_>>(), [20, 80]);
    // Attached, it counts once.
    let patch = ada.request(Method::PATCH, &path).header("content-type", "application/offset+octet-stream");
    ada.send(patch.header("upload-offset", 0).body(file(80))).await.expect(204);
    refused(&upload(&ada, &task, file(1)).await, 100, 1);
    // A cancelled one makes room.
    let another: String = sqlx::query_scalar("SELECT attachment_id::text FROM attachment_uploads WHERE length = 20")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    ada.delete(&format!("/v1/tasks/{task}/uploads/{another}")).await.expect(204);
    upload(&ada, &task, file(20)).await.expect(201);
    // So does one that nobody continues.
    sqlx::query("UPDATE attachment_uploads SET touched_at = now() - interval '2 days'")
        .execute(&app.owner)
        .await
        .unwrap();
    stored(&app).await;
    assert_eq!(rows(&app).await.iter().map(|(size, _)| *size).collect::<Vec<_>>(), [20, 80]);
    app.settle().await;
    assert!(app.verify().await.is_clean());
    app.finish().await;
}

#[tokio::test]
async fn concurrent_uploads_on_two_instances_stay_within_the_quota() {
    let flags = vec!["--attachment-bytes-per-project".to_owned(), "100".to_owned()];
    let environment = TestEnvironment { flags, ..TestEnvironment::new().await };
    let (app, second) = (App::start_at(environment.clone()).await, App::start_at(environment).await);
    let (ada, _, task) = app.with_a_task().await;
    let on_second = Actor { url: second.url.clone(), ..ada.clone() };
    let answers = join_all((0..20).map(|n| {
        let actor = if n % 2 == 0 { &ada } else { &on_second };
        let body = if n % 4 < 2 { chunked(30) } else { file(30).into() };
        upload(actor, &task, body)
    }))
    .await;
    let attached = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(attached, 3);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.problem(413, "quota-exceeded");
    }
    eventually("the others leave nothing", || async { (rows(&app).await.len() == attached).then_some(()) }).await;
    app.settle().await;
    assert!(app.verify().await.is_clean());
    second.stop().await;
    app.finish().await;
}

#[tokio::test]
async fn verify_compares_the_used_bytes_with_the_log_and_a_rebuild_repairs_them() {
    let (app, ada, _, task) = start(100).await;
    let removed = upload(&ada, &task, file(30)).await.expect(201);
    upload(&ada, &task, file(20)).await.expect(201);
    let path = format!("/v1/tasks/{task}/attachments/{}", removed["created_id"].as_str().unwrap());
    ada.delete(&path).await.expect(200);
    create(&ada, &task, 10).await.expect(201);
    stored(&app).await;
    app.settle().await;
    let before = rows(&app).await;
    assert_eq!(before.iter().map(|(size, _)| *size).collect::<Vec<_>>(), [10, 20]);
    for (damage, named) in [
        ("DELETE FROM attachment_files WHERE size = 20", "is missing"),
        ("UPDATE attachment_files SET size = 21 WHERE size = 20", "differs from the log"),
        ("UPDATE attachment_files SET project_id = gen_random_uuid() WHERE size = 20", "differs from the log"),
        (
            "INSERT INTO attachment_files SELECT gen_random_uuid(), task_id, project_id, 5 FROM attachment_files",
            "the log does not have it",
        ),
    ] {
        sqlx::query(damage).execute(&app.owner).await.unwrap();
        let report = app.verify().await;
        let found = report.faults.iter().any(|fault| fault.contains("attachment_files") && fault.contains(named));
        assert!(found, "{damage}:\n{report}");
        write_side::repair(&app.owner).await.unwrap();
        assert_eq!(rows(&app).await, before, "{damage}");
        assert!(app.verify().await.is_clean(), "{damage}");
    }
    app.finish().await;
}

#[tokio::test]
async fn attachments_of_the_previous_release_count() {
    let (app, ada, _, task) = start(100).await;
    let before = app.head().await;
    let removed = upload(&ada, &task, file(30)).await.expect(201);
    upload(&ada, &task, file(20)).await.expect(201);
    ada.delete(&format!("/v1/tasks/{task}/attachments/{}", removed["created_id"].as_str().unwrap())).await.expect(200);
    stored(&app).await;
    // The previous release writes no rows, and moves its own position.
    sqlx::raw_sql(&format!("DELETE FROM attachment_files; UPDATE attachment_janitor SET counted = {before}"))
        .execute(&app.owner)
        .await
        .unwrap();
    stored(&app).await;
    refused(&upload(&ada, &task, file(81)).await, 20, 81);
    app.finish().await;
}
