//! Cursors in the `Last-Event-ID` header and in the address.

use super::*;

/// event-source-polyfill sends the cursor in the address.
#[tokio::test]
async fn the_cursor_in_the_header_takes_precedence_over_the_query() {
    let app = App::start().await;
    let (ada, eve) = (app.person("ada").await, app.person("eve").await);
    let (project, _) = ada.project("P").await;
    for n in 0..4 {
        ada.task(&project, &format!("{n}")).await;
    }
    app.settle().await;
    let path = format!("/v1/projects/{project}/events/stream");
    let several = format!("/v1/stream?projects={project}");
    for (query, header, first) in [
        ("since=1&lastEventId=2", Some("3"), 4),
        ("since=1&lastEventId=2", None, 3),
        ("since=1&Last-Event-ID=2", None, 3),
        ("lastEventId=3&Last-Event-ID=2", None, 4),
        ("since=1&lastEventId=", None, 2),
        ("since=1", None, 2),
        ("since=1", Some(""), 2),
    ] {
        for path in [format!("{path}?{query}"), format!("{several}&{query}")] {
            let mut request = ada.request(Method::GET, &path);
            if let Some(header) = header {
                request = request.header("last-event-id", header);
            }
            let mut stream = Sse::open(request).await;
            assert_eq!(stream.changes_until(5).await[0], first, "{path} {header:?}");
        }
    }
    // It is a reconnect: errors are sent as frames in the stream. `since` keeps its statuses.
    for cursor in ["x", "-1", "1.4", "99999999999999999999", "999"] {
        let header = ada.request(Method::GET, &path).header("last-event-id", cursor);
        assert_eq!(last_event(&mut Sse::open(header).await).await, "reset", "{cursor}");
        for path in [format!("{path}?lastEventId={cursor}"), format!("{several}&Last-Event-ID={cursor}")] {
            assert_eq!(last_event(&mut ada.stream(&path).await).await, "reset", "{path}");
        }
    }
    let twice = ada.request(Method::GET, &path).header("last-event-id", "1").header("last-event-id", "2");
    assert_eq!(last_event(&mut Sse::open(twice).await).await, "reset");
    ada.get(&format!("{path}?since=x")).await.problem(422, "validation-failed");
    ada.get(&format!("{path}?since=999")).await.problem(410, "cursor-ahead");
    for id in ["1", "x"] {
        // A stranger learns nothing about the project.
        eve.get(&format!("{path}?lastEventId={id}")).await.problem(404, "not-found");
    }
    app.anonymous().get(&format!("{path}?lastEventId=x")).await.problem(401, "unauthenticated");
    app.finish().await;
}
