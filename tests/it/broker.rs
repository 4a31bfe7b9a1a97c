use serde_json::json;

use crate::harness::{App, Place, Sse, Way, eventually};

async fn until(stream: &mut Sse, event: &str) -> crate::harness::Frame {
    loop {
        let frame = stream.next().await.unwrap();
        if frame.event == event {
            return frame;
        }
        assert!(!frame.event.starts_with("task."), "{frame:?}");
    }
}

#[tokio::test]
async fn streams_go_on_without_jetstream_say_so_and_neither_lose_nor_double_anything() {
    let place = Place::new().await;
    let way = Way::to_nats(&place.nats_url).await;
    let app = App::start_at(Place { nats_url: way.nats_url(), ..place }).await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    app.settle().await;
    let mut stream = ada.stream(&format!("/v1/projects/{project}/events/stream")).await;
    assert_eq!(stream.next().await.unwrap().event, "hello");
    let make = async |count: usize| {
        for i in 0..count {
            ada.task(&project, &format!("{i}")).await;
        }
        app.head().await
    };
    let mut seen = stream.changes_until(make(5).await).await;
    for _ in 0..2 {
        way.cut();
        let head = make(5).await;
        seen.extend(stream.changes_until(head).await);
        let degraded = until(&mut stream, "degraded").await;
        assert_eq!((degraded.id.parse().unwrap(), &degraded.data["head"]), (head, &json!(head)));
        seen.extend(stream.changes_until(make(5).await).await);
        let ready = ada.get("/health/ready").await.expect(200);
        let nats = ready["dependencies"].as_array().unwrap().iter().find(|d| d["name"] == "nats").unwrap().clone();
        assert_eq!(nats["state"], "degraded");

        way.mend();
        until(&mut stream, "recovered").await;
        eventually("what was missed is published", || async {
            (app.published(&app.nats().await).await? == app.head().await).then_some(())
        })
        .await;
        seen.extend(stream.changes_until(make(5).await).await);
    }
    assert_eq!(seen, (2..=app.head().await).collect::<Vec<i64>>());
    drop(stream);
    app.finish().await;
}
