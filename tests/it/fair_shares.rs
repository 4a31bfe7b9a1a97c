//! What one person can use up: uploads at one time, and requests within a minute.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::harness::{Actor, Answer, App, eventually};

/// An upload whose body never ends.
async fn slow_upload(app: &App, actor: &Actor, task: &str) -> TcpStream {
    let address = app.url.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST /v1/tasks/{task}/attachments?file_name=slow HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: text/plain\r\nContent-Length: 100000\r\n\r\nx",
        actor.token.as_deref().unwrap()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    socket
}

async fn uploads_in_progress(app: &App) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM attachment_uploads").fetch_one(&app.owner).await.unwrap()
}

async fn attach(actor: &Actor, task: &str) -> Answer {
    actor.send(actor.request(Method::POST, &format!("/v1/tasks/{task}/attachments?file_name=f")).body("x")).await
}

#[tokio::test]
async fn slow_uploads_of_one_person_leave_slots_for_others() {
    let app = App::start_with(&["--concurrent-uploads", "4", "--concurrent-uploads-per-user", "2"]).await;
    let (ada, project, task) = app.with_a_task().await;
    let bea = app.person("bea").await;
    ada.put(&format!("/v1/projects/{project}/members/{}", bea.user_id), json!({"role": "member"})).await.expect(201);
    let slow = [slow_upload(&app, &ada, &task).await, slow_upload(&app, &ada, &task).await];
    eventually("two uploads have begun", || async { (uploads_in_progress(&app).await == 2).then_some(()) }).await;
    let refused = attach(&ada, &task).await;
    assert!(refused.problem(429, "rate-limited")["detail"].as_str().unwrap().contains("at most 2 uploads"));
    assert_eq!(refused.header("retry-after"), "1");
    attach(&bea, &task).await.expect(201);
    // The slots of uploads that break off are free again.
    drop(slow);
    eventually("the slots are free", || async { (attach(&ada, &task).await.status == 201).then_some(()) }).await;
    app.finish().await;
}

/// `r` and `q` of the first quota in the headers.
fn quota(answer: &Answer) -> (u64, u64) {
    let number = |header: &str, key: &str| -> u64 {
        let value = answer.header(header).split(',').next().unwrap();
        let found = value.split(';').find_map(|parameter| parameter.strip_prefix(key));
        found.unwrap_or_else(|| panic!("{header}: {value:?}")).parse().unwrap()
    };
    (number("ratelimit", "r="), number("ratelimit-policy", "q="))
}

#[tokio::test]
async fn each_kind_of_request_has_a_rate_for_each_person() {
    let rates = [
        "--commands-per-minute",
        "5",
        "--reads-per-minute",
        "7",
        "--uploads-per-minute",
        "3",
        "--imports-per-minute",
        "2",
    ];
    let app = App::start_with(&rates).await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    let task = ada.task(&project, "T").await;
    let read = format!("/v1/tasks/{task}/history");
    let board = json!({"id": "b", "name": "B", "lists": [], "cards": []});
    for (kind, used, limit) in [("commands", 2, 5), ("reads", 0, 7), ("uploads", 0, 3), ("imports", 0, 2)] {
        let send = async || match kind {
            "commands" => ada.post(&format!("/v1/projects/{project}/tasks"), json!({"title": "T"})).await,
            "reads" => ada.get(&read).await,
            "uploads" => attach(&ada, &task).await,
            _ => ada.post("/v1/imports?format=trello", board.clone()).await,
        };
        for n in used..limit {
            let answer = send().await;
            assert!(answer.status.is_success(), "{kind} {n}: {}", answer.body);
            assert_eq!(quota(&answer), (limit - n - 1, limit), "{kind}");
            assert!(answer.header("ratelimit-policy").starts_with(&format!("\"{kind}\";q={limit};w=60")), "{kind}");
        }
        let refused = send().await;
        assert!(refused.problem(429, "rate-limited")["detail"].as_str().unwrap().contains(kind), "{kind}");
        assert_eq!(quota(&refused), (0, limit), "{kind}");
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!((1..=60).contains(&wait), "{kind}: {wait}");
    }
    // Nobody else is affected, and neither is who is not known.
    let bea = app.person("bea").await;
    bea.project("Q").await;
    assert_eq!(ada.get("/v1/meta").await.status, 200);
    app.stop().await;
}

#[tokio::test]
async fn an_api_token_has_half_of_the_rate_of_its_person() {
    let app = App::start_with(&["--commands-per-minute", "8"]).await;
    let ada = app.person("ada").await;
    let script = ada.api_token(json!({"name": "script", "access": "write"})).await;
    let create = async |actor: &Actor| actor.post("/v1/projects", json!({"name": "P"})).await;
    let first = create(&script).await;
    assert_eq!(first.header("ratelimit-policy"), "\"commands\";q=8;w=60, \"commands-of-token\";q=4;w=60");
    for _ in 0..3 {
        create(&script).await.expect(201);
    }
    assert!(create(&script).await.problem(429, "rate-limited")["detail"].as_str().unwrap().contains("API token"));
    // The rest is the person's, and that of other tokens.
    create(&ada).await.expect(201);
    app.stop().await;
}

#[tokio::test]
async fn other_origins_can_read_the_headers_and_a_rate_can_be_switched_off() {
    let app = App::start_with(&["--commands-per-minute", "0"]).await;
    let (ada, project, task) = app.with_a_task().await;
    let created = ada.post("/v1/projects", json!({"name": "P"})).await;
    assert_eq!((created.status.as_u16(), created.header("ratelimit")), (201, ""));
    let read = ada.request(Method::GET, &format!("/v1/projects/{project}")).header("origin", "https://x.example");
    let read = ada.send(read).await;
    assert_eq!(quota(&read), (119_999, 120_000));
    let exposed = read.header("access-control-expose-headers");
    assert!(exposed.contains("ratelimit,") && exposed.contains("ratelimit-policy"), "{exposed}");
    // Files are read with a ticket, too.
    let made = attach(&ada, &task).await.expect(201);
    let file = format!("/v1/tasks/{task}/attachments/{}/content", made["created_id"].as_str().unwrap());
    let content = ada.get_at(&file, made["position"].as_i64().unwrap()).await;
    assert_eq!((content.status.as_u16(), quota(&content).1), (200, 120_000));
    app.finish().await;
}

/// Every operation that knows its caller documents that it may be refused, and with which headers.
#[test]
fn refusals_by_rate_are_documented() {
    for document in [taskfold_command_api::document(), taskfold_query_api::document()] {
        let document: Value = serde_json::to_value(document).unwrap();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                if operation.get("security").is_none() {
                    continue;
                }
                let Some(reference) = operation["responses"]["429"]["$ref"].as_str() else {
                    panic!("{method} {path} has no response 429");
                };
                let response = document.pointer(reference.strip_prefix('#').unwrap()).unwrap();
                for header in ["Retry-After", "RateLimit", "RateLimit-Policy"] {
                    assert!(response["headers"].get(header).is_some(), "{method} {path}: {header}");
                }
            }
        }
    }
}
