//! Sessions, and all that is made with them.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Actor, App, TestEnvironment, eventually};

/// Time within which the end of a session takes effect everywhere.
const FELT_WITHIN: Duration = Duration::from_secs(5);

/// Requests that create credentials.
fn creations(project: &str) -> [(String, serde_json::Value); 4] {
    [
        ("/v1/api-tokens".to_owned(), json!({"name": "n", "access": "read"})),
        (format!("/v1/projects/{project}/invitations"), json!({"role": "owner"})),
        (format!("/v1/projects/{project}/calendar-links"), json!({})),
        ("/v1/stream-tickets".to_owned(), json!({})),
    ]
}

/// At once, although access tokens carry their permissions themselves.
#[tokio::test]
async fn no_credential_is_created_with_a_session_that_has_ended() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    app.settle().await;
    for (path, body) in creations(&project) {
        ada.post(&path, body).await.expect(201);
    }
    let signed_out = ada.sign_in("ada").await;
    signed_out.delete("/v1/sessions/current").await;
    for (path, body) in creations(&project) {
        signed_out.post(&path, body).await.problem(401, "unauthenticated");
    }

    let copied = ada.sign_in("ada").await;
    let refresh = json!({"refresh_token": copied.refresh_token});
    copied.post("/v1/sessions/refresh", refresh.clone()).await.expect(200);
    sqlx::query("UPDATE spent_refresh_tokens SET spent_at = spent_at - interval '11 seconds'")
        .execute(&app.owner)
        .await
        .unwrap();
    copied.post("/v1/sessions/refresh", refresh).await.problem(401, "unauthenticated");
    for (path, body) in creations(&project) {
        copied.post(&path, body).await.problem(401, "unauthenticated");
    }
    app.finish().await;
}

#[tokio::test]
async fn the_end_of_a_session_ends_its_tokens_tickets_and_streams_on_every_instance() {
    let environment = TestEnvironment::new().await;
    let (app, second) = (App::start_at(environment.clone()).await, App::start_at(environment).await);
    let ada = app.person("ada").await;
    let other = ada.sign_in("ada").await;
    let (project, _) = ada.project("P").await;
    app.settle().await;
    second.settle().await;
    let on_second = Actor { url: second.url.clone(), ..ada.clone() };
    let path = format!("/v1/projects/{project}/events/stream");
    let ticket =
        async || ada.post("/v1/stream-tickets", json!({})).await.expect(201)["ticket"].as_str().unwrap().to_owned();
    let by_ticket = format!("{path}?ticket={}", ticket().await);
    let unused = format!("{path}?ticket={}", ticket().await);
    let mut streams =
        [ada.stream(&path).await, on_second.stream(&path).await, app.anonymous().stream(&by_ticket).await];
    let mut kept = other.stream(&path).await;
    assert_eq!(kept.next().await.unwrap().event, "hello");

    let ended = Instant::now();
    assert_eq!(ada.delete("/v1/sessions/current").await.status, 204);
    for stream in &mut streams {
        let mut last = String::new();
        while let Some(frame) = stream.next().await {
            last = frame.event;
        }
        assert_eq!(last, "reauth");
    }
    for actor in [&ada, &on_second] {
        eventually("the token is refused", || async { (actor.get("/v1/me").await.status == 401).then_some(()) }).await;
    }
    assert!(ended.elapsed() < FELT_WITHIN, "{:?}", ended.elapsed());
    app.anonymous().get(&unused).await.problem(401, "unauthenticated");
    // The other session, and its stream, go on.
    let task = other.task(&project, "After").await;
    assert_eq!(kept.next_change().await.unwrap().data["subject"]["id"], task.as_str());
    second.stop().await;
    app.finish().await;
}

#[tokio::test]
async fn people_see_their_sessions_and_end_them() {
    let app = App::start().await;
    let (ada, bo) = (app.person("ada").await, app.person("bo").await);
    let (phone, laptop) = (ada.sign_in("ada").await, ada.sign_in("ada").await);
    let sessions = ada.get("/v1/me/sessions").await.expect(200);
    let items = sessions["items"].as_array().unwrap().clone();
    let current: Vec<_> = items.iter().map(|session| session["current"].clone()).collect();
    assert_eq!(current, [json!(true), json!(false), json!(false)]);
    assert_eq!(items[1]["address"], "127.0.0.1");
    let phones = format!("/v1/me/sessions/{}", items[1]["id"].as_str().unwrap());
    bo.delete(&phones).await.problem(404, "not-found");
    assert_eq!(laptop.delete(&phones).await.status, 204);
    laptop.delete(&phones).await.problem(404, "not-found");
    phone.post("/v1/stream-tickets", json!({})).await.problem(401, "unauthenticated");
    assert_eq!(laptop.delete("/v1/me/sessions").await.status, 204);
    ada.post("/v1/stream-tickets", json!({})).await.problem(401, "unauthenticated");
    assert_eq!(laptop.get("/v1/me/sessions").await.expect(200)["items"].as_array().unwrap().len(), 1);
    bo.get("/v1/me").await.expect(200);
    app.finish().await;
}

#[tokio::test]
async fn an_api_token_is_created_only_shortly_after_a_sign_in_and_expires_by_default() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let made = ada.post("/v1/api-tokens", json!({"name": "n", "access": "read"})).await.expect(201);
    let days: f64 =
        sqlx::query_scalar("SELECT extract(epoch FROM expires_at - created_at)::float8 / 86400 FROM api_tokens")
            .fetch_one(&app.owner)
            .await
            .unwrap();
    assert_eq!((days, made["expires_at"].is_string()), (90.0, true));
    let never = json!({"name": "n", "access": "read", "expires_at": null});
    assert_eq!(ada.post("/v1/api-tokens", never).await.expect(201)["expires_at"], json!(null));

    sqlx::query("UPDATE sessions SET created_at = now() - interval '31 minutes'").execute(&app.owner).await.unwrap();
    let answer = ada.post("/v1/api-tokens", json!({"name": "n", "access": "read"})).await;
    answer.problem(401, "reauthentication-required");
    assert!(answer.header("www-authenticate").contains("insufficient_user_authentication"));
    let again = ada.sign_in("ada").await;
    again.post("/v1/api-tokens", json!({"name": "n", "access": "read"})).await.expect(201);
    app.finish().await;
}
