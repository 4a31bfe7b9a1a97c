//! Compressed responses: text in each encoding that clients accept, and neither streams nor files.

use std::io::Read as _;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::harness::{Actor, App};

async fn get(actor: &Actor, path: &str, encoding: &str) -> Response {
    actor.request(Method::GET, path).header("accept-encoding", encoding).send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn decoded(encoding: &str, body: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    match encoding {
        "gzip" => flate2::read::GzDecoder::new(body).read_to_end(&mut decoded),
        "br" => brotli::Decompressor::new(body, 4096).read_to_end(&mut decoded),
        "zstd" => zstd::Decoder::new(body).unwrap().read_to_end(&mut decoded),
        _ => panic!("{encoding}"),
    }
    .unwrap();
    decoded
}

#[tokio::test]
async fn text_is_compressed_as_the_client_accepts_it() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let mut task = String::new();
    for n in 0..40 {
        task = ada.task(&project, &format!("Task {n}")).await;
    }
    app.settle().await;
    let board = format!("/v1/projects/{project}/board");
    let plain = ada.get(&board).await;
    let (tag, plain) = (plain.header("etag").to_owned(), plain.expect(200));
    for encoding in ["gzip", "br", "zstd"] {
        let response = get(&ada, &board, encoding).await;
        assert_eq!((response.status().as_u16(), header(&response, "content-encoding")), (200, encoding));
        assert!(response.headers().get_all("vary").iter().any(|vary| vary == "accept-encoding"));
        let body = response.bytes().await.unwrap();
        assert!(body.len() * 8 < plain.to_string().len(), "{encoding}: {} bytes", body.len());
        assert_eq!(serde_json::from_slice::<Value>(&decoded(encoding, &body)).unwrap(), plain);
    }
    for not_accepted in ["identity", "deflate", "gzip;q=0"] {
        assert_eq!(header(&get(&ada, &board, not_accepted).await, "content-encoding"), "", "{not_accepted}");
    }
    let again = ada.request(Method::GET, &board).header("accept-encoding", "br").header("if-none-match", &tag);
    assert_eq!(again.send().await.unwrap().status(), 304);

    // The tag of a compressed task is weak, and can be sent back as it is.
    let path = format!("/v1/tasks/{task}");
    ada.patch(&path, json!({"description": "word ".repeat(500)})).await.expect(200);
    let response = get(&ada, &path, "gzip").await;
    let weak = header(&response, "etag").to_owned();
    assert!(weak.starts_with("W/\""), "{weak}");
    let again = ada.request(Method::GET, &path).header("if-none-match", &weak);
    assert_eq!(ada.send(again).await.status, 304);
    let edit = async |title: &str| {
        ada.send(ada.request(Method::PATCH, &path).header("if-match", &weak).json(&json!({"title": title}))).await
    };
    edit("first").await.expect(200);
    edit("second").await.problem(412, "version-conflict");
    app.finish().await;
}

#[tokio::test]
async fn streams_files_and_short_responses_are_not_compressed() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let task = ada.task(&project, "T").await;
    let request = ada.request(Method::POST, &format!("/v1/tasks/{task}/attachments?file_name=a.json"));
    let text = format!("{:?}", vec![7; 5_000]);
    let request = request.header("content-type", "application/json").body(text.clone());
    let file = ada.send(request).await.expect(201)["created_id"].as_str().unwrap().to_owned();
    app.settle().await;
    let content = get(&ada, &format!("/v1/tasks/{task}/attachments/{file}/content"), "gzip, br, zstd").await;
    assert_eq!((content.status().as_u16(), header(&content, "content-encoding")), (200, ""));
    assert_eq!(content.text().await.unwrap(), text);
    for path in [
        format!("/v1/projects/{project}/events/stream?since=0"),
        "/v1/me".to_owned(),
        format!("/v1/tasks/{}", uuid::Uuid::nil()),
    ] {
        assert_eq!(header(&get(&ada, &path, "gzip, br, zstd").await, "content-encoding"), "", "{path}");
    }
    app.finish().await;
}
