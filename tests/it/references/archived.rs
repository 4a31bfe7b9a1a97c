//! Tasks of archived columns and projects are off every list of things to do, and remind nobody until they are back.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Actor, App, eventually, now};

/// Number of entries of the task in the caller's lists of things to do.
async fn entries(app: &App, ada: &Actor, project: &str, link: &str) -> [usize; 4] {
    app.settle().await;
    let count = |page: Value| page["items"].as_array().unwrap().len();
    let mine = count(ada.get("/v1/me/tasks").await.expect(200));
    let day = |days: u64| (now().utc() + Duration::from_secs(86_400 * days)).date_naive();
    let before = now().utc().date_naive().pred_opt().unwrap();
    let calendar = format!("/v1/projects/{project}/calendar?from={before}&to={}", day(2));
    let calendar = count(ada.get(&calendar).await.expect(200));
    let ics = reqwest::get(format!("{}{link}", ada.url)).await.unwrap().text().await.unwrap();
    let filter = json!({"command": {"type": "task.archive", "data": {}}, "filter": {}, "preview": true});
    let preview = ada.post(&format!("/v1/projects/{project}/tasks/bulk"), filter).await.expect(200);
    [mine, calendar, ics.matches("BEGIN:VTODO").count(), preview["matched"].as_u64().unwrap() as usize]
}

async fn notified(app: &App, ada: &Actor) -> Vec<String> {
    let page = ada.get_at("/v1/me/notifications", app.head().await).await.expect(200);
    page["items"].as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn archived_columns_and_projects_are_quiet_until_they_are_restored() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    for whole_project in [false, true] {
        let (project, columns) = ada.project("P").await;
        let archivable = match whole_project {
            false => format!("/v1/projects/{project}/columns/{}", columns[0]),
            true => format!("/v1/projects/{project}"),
        };
        let link = ada.post(&format!("/v1/projects/{project}/calendar-links"), json!({})).await.expect(201);
        let link = link["url_path"].as_str().unwrap().to_owned();
        let due = now().utc() + Duration::from_secs(2);
        let new = json!({"title": "T", "assignee_ids": [ada.user_id], "due_at": due});
        let task = ada.post(&format!("/v1/projects/{project}/tasks"), new).await.expect(201);
        let task = format!("/v1/tasks/{}", task["id"].as_str().unwrap());
        eventually("it is due soon", || async {
            (ada.get(&task).await.expect(200)["due_stage"] == "due_soon").then_some(())
        })
        .await;
        assert_eq!(entries(&app, &ada, &project, &link).await, [1; 4]);
        ada.post(&format!("{archivable}/archive"), json!({})).await.expect(200);
        let before = notified(&app, &ada).await;
        let quiet = entries(&app, &ada, &project, &link).await;
        assert_eq!(quiet[..3], [0; 3]);
        assert_eq!(quiet[3], 0, "in the preview of a bulk command");
        // The reminder of the due time is suspended.
        eventually("it is past due", || async { (now().utc() > due).then_some(()) }).await;
        eventually("the reminder is suspended", || async {
            let suspended = "SELECT count(*) FROM due_schedule WHERE at > '9999-01-01Z'";
            let count: i64 = sqlx::query_scalar(suspended).fetch_one(&app.owner).await.unwrap();
            (count == 1).then_some(())
        })
        .await;
        assert_eq!(app.verify().await.faults, [""; 0]);
        assert_eq!(notified(&app, &ada).await, before);
        ada.post(&format!("{archivable}/restore"), json!({})).await.expect(200);
        eventually("it is reported as overdue", || async {
            (ada.get(&task).await.expect(200)["due_stage"] == "overdue").then_some(())
        })
        .await;
        assert_eq!(entries(&app, &ada, &project, &link).await, [1; 4]);
        assert_eq!(notified(&app, &ada).await.len(), before.len() + 1);
        ada.post(&format!("{task}/complete"), json!({})).await.expect(200);
    }
    app.finish().await;
}
