use std::sync::Arc;

use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::harness::{App, Place, Sse, eventually};

/// The way to NATS, which can be cut and mended.
struct Way {
    url: String,
    whole: Arc<watch::Sender<bool>>,
}

impl Way {
    async fn to(nats_url: &str) -> Self {
        let target = nats_url.trim_start_matches("nats://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        let whole = Arc::new(watch::Sender::new(true));
        let state = Arc::clone(&whole);
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let (mut state, target) = (state.subscribe(), target.clone());
                tokio::spawn(async move {
                    if !*state.borrow_and_update() {
                        return;
                    }
                    let Ok(mut server) = TcpStream::connect(target).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = state.wait_for(|whole| !whole) => {}
                    }
                });
            }
        });
        Self { url, whole }
    }
}

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
    let way = Way::to(&place.nats_url).await;
    let app = App::start_at(Place { nats_url: way.url.clone(), ..place }).await;
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
        way.whole.send_replace(false);
        let head = make(5).await;
        seen.extend(stream.changes_until(head).await);
        let degraded = until(&mut stream, "degraded").await;
        assert_eq!((degraded.id.parse().unwrap(), &degraded.data["head"]), (head, &json!(head)));
        seen.extend(stream.changes_until(make(5).await).await);
        let ready = ada.get("/health/ready").await.expect(200);
        let nats = ready["dependencies"].as_array().unwrap().iter().find(|d| d["name"] == "nats").unwrap().clone();
        assert_eq!(nats["state"], "degraded");

        way.whole.send_replace(true);
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
