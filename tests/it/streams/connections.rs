//! Connections that carry streams: the bare socket, HTTP/1 and HTTP/2.

use reqwest::{ClientBuilder, Response, Version};

use super::*;

/// The same person with a client and connections of their own.
fn with_client(actor: &Actor, client: ClientBuilder) -> Actor {
    Actor { client: client.build().unwrap(), ..actor.clone() }
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

async fn answer(actor: &Actor, path: &str) -> Response {
    let answer = actor.request(Method::GET, path).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(header(&answer, "content-type"), Some("text/event-stream"));
    answer
}

#[tokio::test]
async fn only_a_stream_that_is_the_first_request_takes_over_its_connection() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    app.settle().await;
    let path = format!("/v1/projects/{project}/events/stream");

    let bare = answer(&with_client(&ada, reqwest::Client::builder()), &path).await;
    assert_eq!((bare.version(), header(&bare, "connection")), (Version::HTTP_11, Some("close")));
    assert_eq!(header(&bare, "transfer-encoding"), None, "the end of the connection is the end of the answer");

    let used = with_client(&ada, reqwest::Client::builder().pool_max_idle_per_host(1));
    used.get("/v1/me").await.expect(200);
    let body = answer(&used, &path).await;
    assert_eq!((body.version(), header(&body, "transfer-encoding")), (Version::HTTP_11, Some("chunked")));

    let mut streams = [Sse::of(bare), Sse::of(body)];
    for stream in &mut streams {
        assert_eq!(stream.next().await.unwrap().event, "hello");
    }
    ada.task(&project, "T").await;
    let head = app.head().await;
    for stream in &mut streams {
        assert_eq!(stream.changes_until(head).await, [head]);
    }
    drop(streams);
    app.finish().await;
}

#[tokio::test]
async fn many_streams_and_requests_share_one_http2_connection() {
    let app = App::start().await;
    let ada = with_client(&app.person("ada").await, reqwest::Client::builder().http2_prior_knowledge());
    let (project, _) = ada.project("P").await;
    app.settle().await;
    let path = format!("/v1/projects/{project}/events/stream");
    let mut streams = Vec::new();
    for _ in 0..20 {
        let answer = answer(&ada, &path).await;
        assert_eq!((answer.version(), header(&answer, "connection")), (Version::HTTP_2, None));
        let mut stream = Sse::of(answer);
        assert_eq!(stream.next().await.unwrap().event, "hello");
        streams.push(stream);
    }
    // During these streams, on the same connection.
    let first = app.head().await + 1;
    for n in 0..50 {
        ada.task(&project, &format!("T{n}")).await;
    }
    let head = app.head().await;
    for stream in &mut streams {
        assert_eq!(stream.changes_until(head).await, (first..=head).collect::<Vec<i64>>());
    }
    // A client that closes one of them keeps the others.
    streams.truncate(5);
    ada.task(&project, "after").await;
    for stream in &mut streams {
        assert_eq!(stream.changes_until(head + 1).await, [head + 1]);
    }
    app.settle().await;
    let stopping = tokio::spawn(app.stop());
    for stream in &mut streams {
        assert_eq!(last_event(stream).await, "drain");
    }
    tokio::time::timeout(PATIENCE, stopping).await.unwrap().unwrap();
}
