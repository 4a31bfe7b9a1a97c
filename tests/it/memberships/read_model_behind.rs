//! Memberships while the read tables are behind the log.

use serde_json::json;

use super::{in_project, next_delivered, position_of, reconnected};
use crate::harness::App;

#[tokio::test]
async fn a_stream_waits_for_a_project_that_is_not_projected_yet() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    app.settle().await;
    let held = app.block_projector().await;
    let (project, _) = ada.project("P").await;
    let path = format!("/v1/projects/{project}/events/stream");
    // The wait ends with its own error, and not with a revocation.
    ada.get(&path).await.problem(503, "read-model-behind");
    let mut stream = reconnected(&ada, &path, "0").await;
    assert_eq!(stream.next().await.unwrap().event, "drain");
    let (mut stream, _) = tokio::join!(reconnected(&ada, &path, "0"), held.rollback());
    assert_eq!(stream.next().await.unwrap().event, "hello");
    assert_eq!(next_delivered(&mut stream).await.unwrap().1, "project.created");
    drop(stream);
    app.finish().await;
}

/// A cursor from a command's reply may be ahead of the read tables, and a removal before it.
#[tokio::test]
async fn a_removal_before_a_cursor_ahead_of_the_read_tables_ends_the_stream() {
    let app = App::start().await;
    let (ada, bo) = (app.person("ada").await, app.person("bo").await);
    let (project, _) = ada.project("P").await;
    ada.put(&in_project(&project, &bo), json!({"role": "viewer"})).await.expect(201);
    app.settle().await;
    let held = app.block_projector().await;
    let removed = position_of(&ada.delete(&in_project(&project, &bo)).await.expect(200));
    let path = format!("/v1/projects/{project}/events/stream?since={removed}");
    let mut stream = bo.stream(&path).await;
    assert_eq!(stream.next().await.unwrap().event, "hello");
    ada.task(&project, "unseen").await;
    held.rollback().await.unwrap();
    assert_eq!(next_delivered(&mut stream).await.unwrap().1, "revoked");
    assert!(next_delivered(&mut stream).await.is_none());
    app.finish().await;
}
