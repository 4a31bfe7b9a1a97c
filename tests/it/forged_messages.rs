//! Messages that somebody else wrote to the stream, with the program's own credentials.

use async_nats::HeaderMap;
use serde_json::{Value, json};
use taskfold_event_log::{LOG_HEADER, SIGNATURE_HEADER};
use taskfold_projector::stream;

use crate::harness::{Actor, App, Sse, new_id};
use crate::health::reports;

/// What is forged at the next position of the stream.
#[derive(Clone, Copy, Debug)]
enum Forgery {
    Nothing,
    Text,
    /// A Change of the task that looks like any other.
    Change,
    /// The same with the signature of the message before it.
    SignedChange,
}

impl Forgery {
    async fn message(self, app: &App, task: &str, last: i64) -> (HeaderMap, String) {
        let found = stream::find(&stream::context(&app.nats().await), &app.stream).await.unwrap().unwrap();
        let before = stream::message(&found, last).await.unwrap().unwrap();
        let mut change: Value = serde_json::from_slice(&before.payload).unwrap();
        change["position"] = json!(last + 1);
        change["subject"] = json!({"kind": "task", "id": task});
        change["type"] = json!("task.renamed");
        change["command_id"] = json!(new_id());
        change["changes"] = json!({"title": {"from": "T", "to": "forged"}});
        let mut headers = HeaderMap::new();
        headers.insert(LOG_HEADER, before.headers.get(LOG_HEADER).unwrap().as_str());
        let payload = match self {
            Self::Nothing => String::new(),
            Self::Text => "forged".to_owned(),
            Self::Change => change.to_string(),
            Self::SignedChange => {
                headers.insert(SIGNATURE_HEADER, before.headers.get(SIGNATURE_HEADER).unwrap().as_str());
                change.to_string()
            }
        };
        (headers, payload)
    }
}

async fn open(ada: &Actor, project: &str, at: i64) -> Vec<Sse> {
    let mut streams = Vec::new();
    for path in [
        format!("/v1/projects/{project}/events/stream?since={at}"),
        format!("/v1/stream?projects={project}&me=true&since={at}"),
    ] {
        let mut stream = ada.stream(&path).await;
        assert_eq!(stream.next().await.unwrap().event, "hello");
        streams.push(stream);
    }
    streams
}

#[tokio::test]
async fn a_forged_message_is_reported_and_live_streams_get_the_real_event() {
    let app = App::start().await;
    let (ada, project, task) = app.with_a_task().await;
    // With more messages than events, too, which is what a restored log looks like.
    for (forgery, count) in [
        (Forgery::Nothing, 1),
        (Forgery::Text, 1),
        (Forgery::Change, 1),
        (Forgery::SignedChange, 1),
        (Forgery::Text, 2),
        (Forgery::Change, 9),
    ] {
        let last = app.head().await;
        reports(&app.url, "publication", "ok", &format!("at {last} of {last}")).await;
        let mut streams = open(&ada, &project, last).await;
        let nats = app.nats().await;
        let (headers, payload) = forgery.message(&app, &task, last).await;
        let subject = format!("{}.events.{project}.task.{task}.renamed", app.stream.to_lowercase());
        let jetstream = stream::context(&nats);
        for n in 1..=count {
            let publishing = jetstream.publish_with_headers(subject.clone(), headers.clone(), payload.clone().into());
            assert_eq!(publishing.await.unwrap().await.unwrap().sequence, last as u64 + n, "{forgery:?}");
        }

        // Before and after the log has an event at that position, readiness says what is wrong and what repairs it.
        reports(&app.url, "publication", "down", "delete the stream").await;
        for (n, title) in ["real", "and real again"].iter().enumerate() {
            let renamed = ada.patch(&format!("/v1/tasks/{task}"), json!({"title": title})).await.expect(200);
            assert_eq!(renamed["position"], last + 1 + n as i64, "{forgery:?}");
            for stream in &mut streams {
                let frame = stream.next_change().await.unwrap();
                assert_eq!(frame.data, renamed["events"][0], "{forgery:?}");
            }
        }
        reports(&app.url, "publication", "down", &format!("the message at {}", last + 1)).await;
        let ready = ada.get("/health/ready").await.expect(200);
        assert_eq!((&ready["commands"], &ready["reads"]), (&json!("ok"), &json!("degraded")), "{ready}");
        let report = app.verify().await;
        let named = format!("sequence {} is not the Change of its position", last + 1);
        assert!(report.faults.iter().any(|fault| fault.contains(&named)), "{report}");
        assert!(report.faults.iter().any(|fault| fault.contains("delete the stream")), "{report}");

        // The repair that both name.
        jetstream.delete_stream(&app.stream).await.unwrap();
        app.settle().await;
        let head = app.head().await;
        reports(&app.url, "publication", "ok", &format!("at {head} of {head}")).await;
        let renamed = ada.patch(&format!("/v1/tasks/{task}"), json!({"title": new_id()})).await.expect(200);
        for stream in &mut streams {
            assert_eq!(stream.next_change().await.unwrap().data, renamed["events"][0], "{forgery:?}");
        }
        app.settle().await;
    }
    app.finish().await;
}
