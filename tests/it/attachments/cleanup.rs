//! Removal of stored bytes that belong to no attachment.

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::harness::new_id;

#[tokio::test]
async fn an_aborted_upload_leaves_no_data() {
    let (app, ada, task) = scene().await;
    let head = app.head().await;
    let path = format!("/v1/tasks/{task}/attachments");
    for bytes in [file(2 * PART + 9), file(100)] {
        let socket = begin(&app, &ada, &path, 1 << 30, &bytes).await;
        eventually("a part is stored", || async {
            let rows: i64 =
                sqlx::query_scalar("SELECT count(*) FROM attachment_uploads").fetch_one(&app.owner).await.unwrap();
            (rows == 1 && (bytes.len() < PART || !app.attachments.names().await.unwrap().is_empty())).then_some(())
        })
        .await;
        drop(socket);
        nothing_is_left(&app).await;
    }
    assert_eq!(app.head().await, head);
    app.finish().await;
}

#[tokio::test]
async fn data_left_by_a_killed_process_is_removed_after_a_day() {
    let (app, ada, task) = scene().await;
    let (_, kept) = attached(&ada, attach(&ada, &task, "kept", "text/plain", file(10))).await;
    // As after a kill: bytes, and the row that announces them; one is recent, one old, and one was appended
    // after all.
    for (id, state, age) in [
        (new_id().to_string(), "receiving", "23 hours"),
        (new_id().to_string(), "receiving", "25 hours"),
        (new_id().to_string(), "committing", "25 hours"),
        (kept["created_id"].as_str().unwrap().to_owned(), "committing", "25 hours"),
    ] {
        let mut writer =
            taskfold_attachments::Writer::new(app.attachments.clone(), serde_json::from_value(json!(id)).unwrap());
        writer.push(Bytes::from(file(10))).await.unwrap();
        writer.finish().await.unwrap();
        sqlx::query(
            "INSERT INTO attachment_uploads (attachment_id, task_id, user_id, command_id, state, touched_at) \
             VALUES ($1::uuid, $2::uuid, $3::uuid, gen_random_uuid(), $4, now() - $5::interval)",
        )
        .bind(&id)
        .bind(&task)
        .bind(&ada.user_id)
        .bind(state)
        .bind(age)
        .execute(&app.owner)
        .await
        .unwrap();
    }
    eventually("abandoned data is removed", || async { (stored(&app).await.len() == 2).then_some(()) }).await;
    assert!(stored(&app).await.iter().any(|name| name.starts_with(kept["created_id"].as_str().unwrap())));
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT state FROM attachment_uploads").fetch_all(&app.owner).await.unwrap();
    assert_eq!(rows, ["receiving"]);
    app.finish().await;
}

#[tokio::test]
async fn removing_an_attachment_removes_its_content() {
    let (app, ada, task) = scene().await;
    let (location, _) = attached(&ada, attach(&ada, &task, "a.txt", "text/plain", file(PART + 1))).await;
    assert_eq!(stored(&app).await.len(), 2);
    let removed = ada.delete(&location).await.expect(200);
    let change = &removed["events"][0];
    assert_eq!(change["type"], "task.attachment_removed");
    assert_eq!(change["changes"]["attachment"]["from"]["file_name"], "a.txt");
    nothing_is_left(&app).await;
    let position = removed["position"].as_i64().unwrap();
    assert_eq!(ada.get_at(&format!("/v1/tasks/{task}/attachments"), position).await.expect(200)["items"], json!([]));
    ada.get(&format!("{location}/content")).await.problem(404, "not-found");
    // Already removed: nothing to do. Never present: not found.
    assert_eq!(ada.delete(&location).await.expect(200)["events"], json!([]));
    ada.delete(&format!("/v1/tasks/{task}/attachments/{}", new_id())).await.problem(404, "not-found");
    assert_eq!(ada.get(&format!("/v1/tasks/{task}")).await.expect(200)["attachment_count"], 0);

    // The process died between the event and the removal of the bytes: the janitor continues from its last log
    // position.
    let (location, reply) = attached(&ada, attach(&ada, &task, "b.txt", "text/plain", file(7))).await;
    ada.delete(&location).await.expect(200);
    nothing_is_left(&app).await;
    let id = serde_json::from_value(reply["created_id"].clone()).unwrap();
    let mut writer = taskfold_attachments::Writer::new(app.attachments.clone(), id);
    writer.push(Bytes::from(file(7))).await.unwrap();
    writer.finish().await.unwrap();
    sqlx::query("UPDATE attachment_janitor SET counted = 0").execute(&app.owner).await.unwrap();
    nothing_is_left(&app).await;
    app.finish().await;
}
