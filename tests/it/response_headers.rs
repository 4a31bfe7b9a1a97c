//! Headers that restrict what a browser does with a response, on every route; and the routes that are not for other
//! origins or for everybody.

use reqwest::header::HeaderMap;
use reqwest::{Method, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{App, Process, eventually};
use crate::invalid_requests::{Scene, routes};

#[track_caller]
fn is_restricted(headers: &HeaderMap, what: &str) {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
    assert_eq!(header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(header("referrer-policy"), "no-referrer", "{what}");
    assert!(["same-origin", "cross-origin"].contains(&header("cross-origin-resource-policy")), "{what}");
    let policy = header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{what}: {policy}");
}

#[tokio::test]
async fn every_response_is_restricted() {
    let scene = Scene::new().await;
    for route in routes() {
        let path = scene.path(&route);
        // The response of the route with and without a token, an error, a stream (of which the head is enough), and the
        // answer to a method that it does not have.
        for (method, actor) in [
            (route.method.clone(), &scene.ada),
            (route.method.clone(), &scene.app.anonymous()),
            (Method::from_bytes(b"BREW").unwrap(), &scene.ada),
        ] {
            let response = actor.request(method.clone(), &path).header("prefer", "wait=0").send().await.unwrap();
            is_restricted(response.headers(), &format!("{method} {path}: {}", response.status()));
        }
    }
    for path in ["/health/live", "/health/ready", "/metrics", "/openapi.json", "/docs/", "/docs/index.css", "/nowhere"]
    {
        is_restricted(&scene.app.anonymous().get(path).await.headers, path);
    }
    let preflight = scene.ada.client.request(Method::OPTIONS, format!("{}/v1/projects", scene.app.url));
    let preflight = preflight.header("origin", "https://x.example").header("access-control-request-method", "POST");
    is_restricted(preflight.send().await.unwrap().headers(), "preflight");
    scene.app.stop().await;
}

#[tokio::test]
async fn files_are_restricted_and_can_be_embedded_as_pictures_only() {
    let app = App::start().await;
    let (ada, _, task) = app.with_a_task().await;
    let path = format!("/v1/tasks/{task}/attachments");
    for content_type in ["text/html", "image/png", "application/pdf"] {
        let file = ada.request(Method::POST, &format!("{path}?file_name=f")).header("content-type", content_type);
        let made = ada.send(file.body("<script>alert(1)</script>")).await.expect(201);
        let id = made["created_id"].as_str().unwrap();
        let content = ada.get_at(&format!("{path}/{id}/content"), made["position"].as_i64().unwrap()).await;
        is_restricted(&content.headers, content_type);
        assert_eq!(content.header("cross-origin-resource-policy"), "cross-origin");
        let is_sandboxed = content.header("content-security-policy").contains("sandbox");
        assert_eq!(is_sandboxed, content_type != "application/pdf");
        assert_eq!(content.header("content-disposition").starts_with("attachment"), content_type == "text/html");
    }
    app.finish().await;
}

/// The pages load what they need: scripts from files of this origin, and nothing from elsewhere.
#[tokio::test]
async fn the_pages_of_the_documentation_run_under_their_policy() {
    let app = App::start().await;
    let page = app.anonymous().get("/docs/").await;
    let text = page.body.as_str().unwrap().to_owned();
    assert!(page.header("content-security-policy").contains("script-src 'self';"));
    for script in text.split("<script").skip(1) {
        let tag = script.split('>').next().unwrap();
        assert!(tag.contains("src=\"./") || tag.contains("src='./"), "an inline script, or one from elsewhere: {tag}");
    }
    assert!(!text.contains("http://") && !text.contains("https://"), "{text}");
    let initializer = app.anonymous().get("/docs/swagger-initializer.js").await;
    assert!(initializer.body.as_str().unwrap().contains("/openapi.json"));
    app.anonymous().get("/openapi.json").await.expect(200);
    app.stop().await;
}

async fn from_another_origin(app: &App, path: &str) -> Response {
    let client = app.anonymous().client;
    client.get(format!("{}{path}", app.url)).header("origin", "https://x.example").send().await.unwrap()
}

#[tokio::test]
async fn operations_and_documentation_are_not_for_other_origins() {
    let app = App::start().await;
    for path in ["/health/live", "/health/ready", "/metrics", "/docs/"] {
        let response = from_another_origin(&app, path).await;
        assert_eq!(response.status(), 200, "{path}");
        assert!(!response.headers().contains_key("access-control-allow-origin"), "{path}");
    }
    for path in ["/v1/meta", "/openapi.json", "/nowhere"] {
        let response = from_another_origin(&app, path).await;
        assert_eq!(response.headers()["access-control-allow-origin"], "*", "{path}");
    }
    // Without an answer to its preflight, a browser sends no such request.
    let preflight = app.anonymous().client.request(Method::OPTIONS, format!("{}/metrics", app.url));
    let preflight = preflight.header("origin", "https://x.example").header("access-control-request-method", "GET");
    assert!(!preflight.send().await.unwrap().headers().contains_key("access-control-allow-origin"));
    app.stop().await;
}

#[tokio::test]
async fn an_address_for_administrators_takes_metrics_and_readiness_from_the_port_of_the_api() {
    let app = App::start().await;
    let settings = app.settings();
    for role in ["command-api", "query-api", "projector"] {
        let admin = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let process = Process::start(role, &[&settings[..], &["--admin-listen", &admin]].concat());
        process.ready().await;
        for path in ["/metrics", "/health/ready"] {
            assert_eq!(reqwest::get(format!("{}{path}", process.url)).await.unwrap().status(), 404, "{role} {path}");
            let response = reqwest::get(format!("http://{admin}{path}")).await.unwrap();
            assert_eq!(response.status(), 200, "{role} {path}");
            is_restricted(response.headers(), path);
        }
        eventually("it is alive on both", || async {
            let live = reqwest::get(format!("http://{admin}/health/live")).await.ok()?.status();
            (live == 200).then_some(())
        })
        .await;
    }
    app.stop().await;
}

/// Routes, methods and statuses are those of the program, whatever clients send.
#[tokio::test]
async fn clients_cannot_add_series_to_the_metrics() {
    let app = App::start().await;
    let process = Process::start("query-api", &app.settings());
    process.ready().await;
    let address = process.url.strip_prefix("http://").unwrap();
    for n in 0..50 {
        let mut client = TcpStream::connect(address).await.unwrap();
        let request = format!("METHOD{n} /path/{n} HTTP/1.1\r\nHost: host{n}\r\nConnection: close\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        client.read_to_end(&mut Vec::new()).await.unwrap();
    }
    let metrics = reqwest::get(format!("{}/metrics", process.url)).await.unwrap().text().await.unwrap();
    for invented in ["METHOD1", "/path/", "host1"] {
        assert!(!metrics.contains(invented), "{invented}");
    }
    let requests: Vec<&str> =
        metrics.lines().filter(|line| line.starts_with("taskfold_http_requests_total{")).collect();
    assert!(requests.len() < 10, "{requests:?}");
    app.stop().await;
}
