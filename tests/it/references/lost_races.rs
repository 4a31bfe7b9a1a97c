//! Commands that name what was just removed: the caller learns what is gone, since when and by whom.

use serde_json::{Value, json};

use crate::harness::App;

#[tokio::test]
async fn a_command_that_names_what_was_removed_says_what_is_gone() {
    let app = App::start().await;
    let (ada, bo, cem) = (app.person("ada").await, app.person("bo").await, app.person("cem").await);
    let (project, columns) = ada.project("P").await;
    let path = format!("/v1/projects/{project}");
    for user in [&bo, &cem] {
        ada.put(&format!("{path}/members/{}", user.user_id), json!({"role": "admin"})).await.expect(201);
    }
    let label = ada.post(&format!("{path}/labels"), json!({"name": "bug", "color": "red"})).await.expect(201);
    let label = label["created_id"].as_str().unwrap();
    let (task, other) = (ada.task(&project, "T").await, ada.task(&project, "other").await);
    bo.delete(&format!("{path}/labels/{label}")).await.expect(200);
    bo.delete(&format!("{path}/columns/{}", columns[1])).await.expect(200);
    bo.delete(&format!("{path}/members/{}", cem.user_id)).await.expect(200);
    bo.delete(&format!("/v1/tasks/{other}")).await.expect(200);

    let at = |rest: &str| format!("/v1/tasks/{task}{rest}");
    let create = |field: &str, value: Value| json!({"title": "T", field: value});
    let tasks = format!("{path}/tasks");
    let answers = [
        ("/column_id", "column", &columns[1], ada.post(&at("/move"), json!({"column_id": columns[1]})).await),
        ("/column_id", "column", &columns[1], ada.post(&tasks, create("column_id", json!(columns[1]))).await),
        ("/label_id", "label", &label.to_owned(), ada.put(&at(&format!("/labels/{label}")), Value::Null).await),
        ("/label_ids/0", "label", &label.to_owned(), ada.post(&tasks, create("label_ids", json!([label]))).await),
        ("/user_id", "member", &cem.user_id, ada.put(&at(&format!("/assignees/{}", cem.user_id)), Value::Null).await),
        (
            "/assignee_ids/0",
            "member",
            &cem.user_id,
            ada.post(&tasks, create("assignee_ids", json!([cem.user_id]))).await,
        ),
        ("/parent_id", "task", &other, ada.patch(&at(""), json!({"parent_id": other})).await),
        ("/parent_id", "task", &other, ada.post(&tasks, create("parent_id", json!(other))).await),
        ("/task_id", "task", &other, ada.put(&at(&format!("/dependencies/{other}")), Value::Null).await),
    ];
    for (pointer, kind, id, answer) in answers {
        let gone = &answer.problem(409, "reference-gone")["reference"];
        let named = [&gone["pointer"], &gone["kind"], &gone["id"], &gone["removed_by"]];
        assert_eq!(named, [&json!(pointer), &json!(kind), &json!(id), &json!(bo.user_id)]);
        assert!(gone["removed_at"].is_string(), "{gone}");
    }
    // What never was there is a mistake of the form.
    let unknown = json!("01900000-0000-7000-8000-00000000abcd");
    ada.post(&at("/move"), json!({"column_id": unknown})).await.problem(422, "validation-failed");
    ada.post(&tasks, create("label_ids", json!([unknown]))).await.problem(422, "validation-failed");
    app.finish().await;
}
