//! The projector: publication, dead letters, takeover and recovery of the stream.

use std::time::Duration;

use serde_json::json;
use taskfold::databases::{DatabaseRole, role_pool};
use taskfold_event_log::StickyConnection;
use taskfold_projector::step::{Memory, Outcome, step};
use taskfold_projector::{Deps, dead_letters, stream};
use tokio_util::sync::CancellationToken;

use crate::harness::{App, TestEnvironment, clock, eventually};

#[tokio::test]
async fn the_nats_stream_equals_the_feed() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let task = ada.task(&project, "T").await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let started = ada.request(reqwest::Method::POST, &format!("/v1/tasks/{task}/start")).header("traceparent", trace);
    ada.send(started).await.expect(200);
    app.settle().await;
    let feed = ada.get(&format!("/v1/projects/{project}/events?since=0")).await.expect(200);
    let stream = stream::find(&stream::context(&app.nats().await), &app.stream).await.unwrap().unwrap();
    for event in feed["events"].as_array().unwrap() {
        let position = event["position"].as_u64().unwrap();
        let message = stream.direct_get(position).await.unwrap();
        assert_eq!(&serde_json::from_slice::<serde_json::Value>(&message.payload).unwrap(), event);
        let header = |name: &str| message.headers.get(name).map(|v| v.as_str().to_owned()).unwrap_or_default();
        assert_eq!(header("ce-specversion"), "1.0");
        assert_eq!(header("ce-type"), format!("taskfold.{}.v1", event["type"].as_str().unwrap()));
        assert_eq!(header("ce-sequence"), position.to_string());
        assert!(!header("ce-id").is_empty() && !header("ce-source").is_empty() && !header("ce-time").is_empty());
        let kind = event["subject"]["kind"].as_str().unwrap();
        let verb = event["type"].as_str().unwrap().split_once('.').unwrap().1;
        let prefix = stream::prefix(&app.stream);
        let id = event["subject"]["id"].as_str().unwrap();
        assert_eq!(message.subject.as_str(), format!("{prefix}.events.{project}.{kind}.{id}.{verb}"));
        if verb == "started" {
            assert_eq!(header("traceparent"), trace);
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn a_dead_letter_stops_only_its_own_aggregate_and_can_be_retried() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let (sick, well) = (ada.task(&project, "sick").await, ada.task(&project, "well").await);
    app.settle().await;
    // An event that our code did not write: its payload is invalid.
    let mut tx = app.owner.begin().await.unwrap();
    sqlx::query(
        "INSERT INTO events SELECT 4, aggregate_type, aggregate_id, 2, 'task.renamed', '1', '{\"changes\": {\"title\": 7}}', \
         metadata, project_id, actor_id, command_id, occurred_at, recorded_at FROM events WHERE aggregate_id = $1",
    )
    .bind(&sick)
    .execute(&mut *tx)
    .await
    .unwrap();
    sqlx::query("UPDATE log_head SET position = 4").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();

    let path = format!("/v1/tasks/{well}");
    let after = ada.patch(&path, json!({"title": "still well"})).await.expect(200)["position"].as_i64().unwrap();
    assert_eq!(ada.get_at(&path, after).await.expect(200)["title"], "still well");
    let (count, reason) = dead_letters::summary(&app.owner).await.unwrap();
    assert_eq!(count, 1);
    assert!(reason.unwrap().contains("position 4"));
    let ready = app.anonymous().get("/health/ready").await.expect(200);
    let projection = ready["dependencies"].as_array().unwrap().iter().find(|d| d["name"] == "projection").unwrap();
    assert_eq!(projection["state"], "degraded", "{ready}");

    // The cause is repaired, and a retry is requested.
    sqlx::query("UPDATE events SET payload = '{\"changes\": {\"title\": {\"from\": \"sick\", \"to\": \"cured\"}}}' WHERE position = 4")
        .execute(&app.owner)
        .await
        .unwrap();
    dead_letters::request_retry(&app.owner).await.unwrap();
    eventually("the task is retried", || async {
        let task = ada.get(&format!("/v1/tasks/{sick}")).await;
        (task.body["title"] == "cured").then_some(())
    })
    .await;
    assert_eq!(dead_letters::summary(&app.owner).await.unwrap().0, 0);
    app.stop().await;
}

#[tokio::test]
async fn a_standby_takes_over_within_five_seconds() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    // The active projector loses its lease, as if it hung: no process renews it.
    sqlx::query("UPDATE projector_lease SET holder = gen_random_uuid(), expires_at = now() + interval '3 s'")
        .execute(&app.owner)
        .await
        .unwrap();
    let shutdown = CancellationToken::new();
    let standby = tokio::spawn(taskfold_projector::run(Deps {
        holder: clock().random_id(),
        stream_replicas: 1,
        writes: taskfold_event_log::Writes::default(),
        stuck: std::sync::Arc::default(),
        pool: role_pool(&app.database_url, DatabaseRole::Projector, 4).await.unwrap(),
        maintenance: role_pool(&app.database_url, DatabaseRole::Maintenance, 4).await.unwrap(),
        nats: app.nats().await,
        stream: app.stream.clone(),
        shutdown: shutdown.clone(),
    }));
    let began = std::time::Instant::now();
    let task = ada.task(&project, "T").await;
    eventually("a projector is active", || async {
        (ada.get(&format!("/v1/tasks/{task}")).await.status == 200).then_some(())
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    app.finish().await;
    shutdown.cancel();
    standby.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_lost_stream_is_published_again_from_the_log() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    ada.task(&project, "before").await;
    app.settle().await;
    stream::context(&app.nats().await).delete_stream(&app.stream).await.unwrap();
    ada.task(&project, "after").await;
    app.finish().await;
}

#[tokio::test]
async fn a_step_without_events_leaves_no_transaction_open() {
    let environment = TestEnvironment::new().await;
    let projector = role_pool(&environment.database_url, DatabaseRole::Projector, 1).await.unwrap();
    taskfold_projector::rebuild::bring_up_to_date(&projector).await.unwrap();
    let mut kept = StickyConnection::new(projector);
    let outcome = step(&mut kept, &mut Memory::default()).await.unwrap();
    assert!(matches!(outcome, Outcome::Idle), "{outcome:?}");
    let owner = taskfold::connections::owner_pool(&environment.database_url, 1).unwrap();
    let locked = sqlx::query("SELECT FROM projection_checkpoint FOR UPDATE NOWAIT").execute(&owner).await;
    locked.expect("its transaction has ended, though its connection is kept");
}
