//! Rebuilds that are killed or refused, and read tables of another version.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;
use sqlx::types::Json;
use taskfold::databases::{DatabaseRole, role_pool};
use taskfold_projector::ProjectorError;
use taskfold_projector::rebuild::{Then, back, rebuild};
use taskfold_projector::versions;

use super::{populate, rebuilt};
use crate::harness::{App, eventually};

#[tokio::test]
async fn a_killed_rebuild_changes_nothing_and_the_next_one_succeeds() {
    let app = App::start().await;
    let (ada, project) = populate(&app).await;
    // A long read: the switch has to wait, and is killed while it does.
    let mut reading = app.owner.begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM tasks").execute(&mut *reading).await.unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_taskfold"))
        .args(["rebuild", "--log", "error", "--database-url", &app.database_url, "--nats-url", &app.nats_url])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    eventually("it is about to switch", || async {
        let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'tasks'::regclass AND NOT granted)";
        sqlx::query_scalar::<_, bool>(waits).fetch_one(&app.owner).await.unwrap().then_some(())
    })
    .await;
    // No other session waits long meanwhile: neither readers nor writers.
    let began = std::time::Instant::now();
    let task = ada.task(&project, "meanwhile").await;
    let path = format!("/v1/tasks/{task}");
    eventually("it is projected", || async { (ada.get(&path).await.status == 200).then_some(()) }).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    process.kill().unwrap();
    process.wait().unwrap();
    reading.rollback().await.unwrap();
    assert_eq!(ada.get(&path).await.expect(200)["title"], "meanwhile");
    app.settle().await;
    assert!(app.verify().await.is_clean());
    eventually("the locks of the killed process are released", || async {
        let projector = role_pool(&app.database_url, DatabaseRole::Maintenance, 8).await.unwrap();
        rebuild(&projector, Then::Switch, &|_, _, _| {}).await.ok()
    })
    .await;
    app.finish().await;
}

#[tokio::test]
async fn only_one_rebuild_runs_at_a_time() {
    let app = App::start().await;
    populate(&app).await;
    let projector = role_pool(&app.database_url, DatabaseRole::Maintenance, 8).await.unwrap();
    let (one, other) = tokio::join!(
        rebuild(&projector, Then::Switch, &|_, _, _| {}),
        rebuild(&projector, Then::Switch, &|_, _, _| {})
    );
    let refused = one.and(other).expect_err("one of them is refused");
    assert!(matches!(refused, ProjectorError::Rebuilding), "{refused}");
    app.finish().await;
}

#[tokio::test]
async fn a_rollback_needs_a_previous_generation_of_this_version() {
    let app = App::start().await;
    populate(&app).await;
    let projector = role_pool(&app.database_url, DatabaseRole::Maintenance, 8).await.unwrap();
    let refused = async || match back(&projector, &|_, _, _| {}).await {
        Err(ProjectorError::NoWayBack(why)) => why,
        other => panic!("{other:?}"),
    };
    assert!(refused().await.contains("no previous generation"));
    rebuilt(&app, Then::Switch).await;
    let of_before = async |sql: &str| sqlx::query(sql).execute(&app.owner).await.unwrap();
    of_before("ALTER TABLE taskfold_previous.teams ADD COLUMN colour text").await;
    assert!(refused().await.ends_with("with other columns in teams"));
    of_before("ALTER TABLE taskfold_previous.teams DROP COLUMN colour").await;
    of_before("UPDATE taskfold_previous.projection_checkpoint SET versions = versions || '{\"tasks\": 0}'").await;
    assert!(refused().await.contains("another version"));
    taskfold_projector::rebuild::forget(&projector).await.unwrap();
    assert!(refused().await.contains("no previous generation"));
    app.finish().await;
}

#[tokio::test]
async fn tables_of_an_earlier_version_are_rebuilt_before_projecting() {
    let app = App::start().await;
    let (ada, project) = populate(&app).await;
    // As left by an earlier program: with another definition of a task's title.
    let mut earlier = app.owner.begin().await.unwrap();
    sqlx::query("UPDATE tasks SET title = 'earlier'").execute(&mut *earlier).await.unwrap();
    sqlx::query(
        "UPDATE projection_checkpoint SET versions = versions || '{\"tasks\": 0}', generation = generation + 1",
    )
    .execute(&mut *earlier)
    .await
    .unwrap();
    earlier.commit().await.unwrap();
    let task = ada.task(&project, "now").await;
    eventually("it is projected", || async {
        (ada.get(&format!("/v1/tasks/{task}")).await.status == 200).then_some(())
    })
    .await;
    let wrong: i64 =
        sqlx::query_scalar("SELECT count(*) FROM tasks WHERE title = 'earlier'").fetch_one(&app.owner).await.unwrap();
    assert_eq!(wrong, 0);
    app.finish().await;
}

#[tokio::test]
async fn tables_of_a_later_version_are_not_changed() {
    let app = App::start().await;
    let (ada, project) = populate(&app).await;
    sqlx::query("UPDATE projection_checkpoint SET versions = versions || '{\"tasks\": 99}'")
        .execute(&app.owner)
        .await
        .unwrap();
    let at = taskfold_event_log::projected_position(&app.owner).await.unwrap();
    // Commands continue; a later version has to project them.
    ada.post(&format!("/v1/projects/{project}/tasks"), json!({"title": "T"})).await.expect(201);
    let projector = role_pool(&app.database_url, DatabaseRole::Maintenance, 8).await.unwrap();
    let refused = rebuild(&projector, Then::Switch, &|_, _, _| {}).await.expect_err("it is not ours to rebuild");
    assert!(matches!(&refused, ProjectorError::WrittenByLater(tables) if tables == "tasks"), "{refused}");
    eventually("the projector gives up its lease", || async {
        let renewed: bool =
            sqlx::query_scalar("SELECT EXISTS (SELECT FROM projector_lease WHERE expires_at > clock_timestamp())")
                .fetch_one(&app.owner)
                .await
                .unwrap();
        (!renewed).then_some(())
    })
    .await;
    assert_eq!(taskfold_event_log::projected_position(&app.owner).await.unwrap(), at);
    sqlx::query("UPDATE projection_checkpoint SET versions = $1")
        .bind(Json(versions::ours()))
        .execute(&app.owner)
        .await
        .unwrap();
    app.finish().await;
}
