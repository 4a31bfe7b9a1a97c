//! Accounts: what people and operators change, and what ends with it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Actor, App, eventually};

const PASSWORD: &str = "a sentence that nobody guesses";

/// Runs `taskfold` with these arguments beside the system, and returns what it prints.
async fn taskfold(app: &App, arguments: &[&str]) -> Result<String, String> {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_taskfold"))
        .args(arguments)
        .args(app.settings())
        .env("TASKFOLD_PASSWORD", PASSWORD)
        .output()
        .await
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn sign_in(username: &str, password: &str) -> Value {
    json!({"username": username, "password": password})
}

async fn is_refused(actor: &Actor) {
    eventually("the token is refused", || async { (actor.get("/v1/me").await.status == 401).then_some(()) }).await;
}

#[tokio::test]
async fn people_change_their_name_and_it_is_shown_at_once() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (project, _) = ada.project("P").await;
    app.settle().await;
    let members = format!("/v1/projects/{project}/members");
    let before = ada.get(&members).await;
    let changed = ada.patch("/v1/me", json!({"display_name": "Ada L."})).await.expect(200);
    assert_eq!((&changed["display_name"], &changed["username"]), (&json!("Ada L."), &json!("ada")));
    let request = ada.request(reqwest::Method::GET, &members).header("if-none-match", before.header("etag"));
    assert_eq!(ada.send(request).await.expect(200)["items"][0]["display_name"], "Ada L.");
    assert_eq!(ada.get("/v1/me").await.expect(200)["display_name"], "Ada L.");
    ada.patch("/v1/me", json!({"display_name": ""})).await.problem(422, "validation-failed");
    ada.patch("/v1/me", json!({})).await.expect(200);
    let bot = ada.api_token(json!({"name": "bot", "access": "write"})).await;
    bot.patch("/v1/me", json!({"display_name": "Bot"})).await.problem(403, "forbidden");
    app.finish().await;
}

#[tokio::test]
async fn a_new_password_ends_all_other_sessions() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let other = ada.sign_in("ada").await;
    let change = |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    let current = crate::harness::PASSWORD;
    ada.put("/v1/me/password", change("a wrong password", PASSWORD)).await.problem(403, "forbidden");
    for (new, why) in [("short", "at least 10"), ("password123", "too common"), ("adaadaadaada", "too common")] {
        let answer = ada.put("/v1/me/password", change(current, new)).await;
        let error = answer.problem(422, "validation-failed")["errors"][0].clone();
        assert!(error["pointer"] == "/new_password" && error["detail"].to_string().contains(why), "{error}");
    }
    assert_eq!(ada.put("/v1/me/password", change(current, PASSWORD)).await.status, 204);
    let anonymous = app.anonymous();
    anonymous.post("/v1/sessions", sign_in("ada", current)).await.problem(401, "unauthenticated");
    anonymous.post("/v1/sessions", sign_in("ada", PASSWORD)).await.expect(200);
    is_refused(&other).await;
    ada.get("/v1/me").await.expect(200);
    app.finish().await;
}

#[tokio::test]
async fn common_passwords_and_reserved_names_are_refused() {
    let app = App::start().await;
    let anonymous = app.anonymous();
    let new = |username: &str, password: &str| json!({"username": username, "display_name": "N", "password": password});
    for (username, password, pointer) in [
        ("bo", "1234567890", "/password"),
        ("bo", "qwertyuiop", "/password"),
        ("bo-the-builder", "bo-the-builder", "/password"),
        ("root", PASSWORD, "/username"),
        ("taskfold", PASSWORD, "/username"),
    ] {
        let answer = anonymous.post("/v1/accounts", new(username, password)).await;
        assert_eq!(answer.problem(422, "validation-failed")["errors"][0]["pointer"], pointer, "{username} {password}");
    }
    app.finish().await;
}

#[tokio::test]
async fn operators_decide_who_may_create_an_account() {
    let app = App::start_with(&["--sign-up", "invited"]).await;
    taskfold(&app, &["accounts", "create", "ada"]).await.unwrap();
    let anonymous = app.anonymous();
    let session = anonymous.post("/v1/sessions", sign_in("ada", PASSWORD)).await.expect(200);
    let ada = anonymous.with_token(session["access_token"].as_str().unwrap());
    let (project, _) = ada.project("P").await;
    let made = ada.post(&format!("/v1/projects/{project}/invitations"), json!({"role": "member"})).await.expect(201);
    let new = |username: &str, invitation: Value| json!({"username": username, "display_name": "N", "password": PASSWORD, "invitation": invitation});
    for invitation in [json!(null), json!("nonsense")] {
        anonymous.post("/v1/accounts", new("bo", invitation)).await.problem(403, "forbidden");
    }
    anonymous.post("/v1/accounts", new("bo", made["token"].clone())).await.expect(201);
    let refused = taskfold(&app, &["accounts", "create", "ada"]).await.unwrap_err();
    assert!(refused.contains("already in use"), "{refused}");
    app.finish().await;

    let app = App::start_with(&["--sign-up", "closed"]).await;
    app.anonymous().post("/v1/accounts", new("bo", json!(null))).await.problem(403, "forbidden");
    app.finish().await;
}

#[tokio::test]
async fn a_disabled_account_ends_everywhere_within_seconds_and_can_be_enabled() {
    let app = App::start().await;
    let (ada, bo) = (app.person("ada").await, app.person("bo").await);
    let (project, _) = ada.project("P").await;
    app.settle().await;
    let bot = ada.api_token(json!({"name": "bot", "access": "write"})).await;
    let calendar = ada.post(&format!("/v1/projects/{project}/calendar-links"), json!({})).await.expect(201);
    let calendar = calendar["url_path"].as_str().unwrap();
    let invitations = format!("/v1/projects/{project}/invitations");
    let link =
        ada.post(&invitations, json!({"role": "viewer"})).await.expect(201)["token"].as_str().unwrap().to_owned();
    let ticket = ada.post("/v1/stream-tickets", json!({})).await.expect(201)["ticket"].as_str().unwrap().to_owned();
    let path = format!("/v1/projects/{project}/events/stream");
    let mut streams = [ada.stream(&path).await, bot.stream(&path).await];
    app.anonymous().get(calendar).await;

    let disabled = Instant::now();
    taskfold(&app, &["accounts", "disable", "ada"]).await.unwrap();
    for stream in &mut streams {
        while stream.next().await.is_some() {}
    }
    is_refused(&ada).await;
    is_refused(&bot).await;
    assert!(disabled.elapsed() < Duration::from_secs(8), "{:?}", disabled.elapsed());
    assert_eq!(app.anonymous().get(calendar).await.status, 404);
    app.anonymous().get(&format!("{path}?ticket={ticket}")).await.problem(401, "unauthenticated");
    bo.post(&format!("/v1/invitations/{link}/accept"), json!({})).await.problem(404, "not-found");
    let password = crate::harness::PASSWORD;
    app.anonymous().post("/v1/sessions", sign_in("ada", password)).await.problem(401, "unauthenticated");
    ada.post("/v1/sessions/refresh", json!({"refresh_token": ada.refresh_token})).await.problem(401, "unauthenticated");

    taskfold(&app, &["accounts", "enable", &ada.user_id]).await.unwrap();
    eventually("the API token works again", || async { (bot.get("/v1/me").await.status == 200).then_some(()) }).await;
    assert_eq!(app.anonymous().get(calendar).await.status, 200);
    let again = app.anonymous().sign_in("ada").await;
    again.get("/v1/me").await.expect(200);
    // Sessions of before stay ended.
    is_refused(&ada).await;
    app.finish().await;
}

#[tokio::test]
async fn an_erased_account_keeps_its_id_alone() {
    let app = App::start().await;
    let (ada, bo) = (app.person("ada").await, app.person("bo").await);
    let (project, _) = ada.project("P").await;
    ada.put(&format!("/v1/projects/{project}/members/{}", bo.user_id), json!({"role": "member"})).await.expect(201);
    app.settle().await;
    let refused = taskfold(&app, &["accounts", "erase", "bo"]).await.unwrap_err();
    assert!(refused.contains("--yes"), "{refused}");
    taskfold(&app, &["accounts", "erase", "bo", "--yes"]).await.unwrap();
    is_refused(&bo).await;
    let members = ada.get(&format!("/v1/projects/{project}/members")).await.expect(200);
    let erased = members["items"].as_array().unwrap().iter().find(|member| member["user_id"] == bo.user_id.as_str());
    assert_eq!((&erased.unwrap()["username"], &erased.unwrap()["display_name"]), (&Value::Null, &Value::Null));
    let list = taskfold(&app, &["accounts", "list"]).await.unwrap();
    assert!(list.contains(&format!("{}\t-\terased\t-", bo.user_id)) && list.contains("\tada\tactive\tADA"), "{list}");
    for command in ["enable", "set-password"] {
        let refused = taskfold(&app, &["accounts", command, &bo.user_id]).await.unwrap_err();
        assert!(refused.contains("erased"), "{refused}");
    }
    // The name is free again.
    app.person("bo").await;
    app.finish().await;
}

#[tokio::test]
async fn operators_set_passwords_and_rotate_keys_without_signing_anybody_out() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let before = ada.get("/.well-known/jwks.json").await.expect(200)["keys"].as_array().unwrap().len();
    let printed = taskfold(&app, &["keys", "rotate"]).await.unwrap();
    assert!(printed.starts_with("created the key"), "{printed}");
    ada.get("/v1/me").await.expect(200);
    ada.post("/v1/sessions/refresh", json!({"refresh_token": ada.refresh_token})).await.expect(200);
    eventually("both keys are published", || async {
        let keys = ada.get("/.well-known/jwks.json").await.expect(200);
        (keys["keys"].as_array().unwrap().len() == before + 1).then_some(())
    })
    .await;
    ada.get("/v1/me").await.expect(200);

    taskfold(&app, &["accounts", "set-password", "ada"]).await.unwrap();
    is_refused(&ada).await;
    app.anonymous().post("/v1/sessions", sign_in("ada", PASSWORD)).await.expect(200);
    app.finish().await;
}

#[tokio::test]
async fn failed_sign_ins_are_limited_except_where_the_person_has_signed_in() {
    let app = App::start_with(&["--trusted-proxies", "1"]).await;
    let ada = app.person("ada").await;
    let from = async |address: &str, password: &str| {
        let request = ada.request(reqwest::Method::POST, "/v1/sessions").header("x-forwarded-for", address);
        ada.send(request.json(&sign_in("ada", password))).await
    };
    let password = crate::harness::PASSWORD;
    from("192.0.2.1", password).await.expect(200);
    for _ in 0..=taskfold_domain::limits::SIGN_IN_FAILURES_PER_ACCOUNT {
        from("198.51.100.7", "a wrong password").await.problem(401, "unauthenticated");
    }
    let limited = from("198.51.100.7", password).await;
    limited.problem(429, "rate-limited");
    let wait: u64 = limited.header("retry-after").parse().unwrap();
    assert!((1..=6).contains(&wait), "{wait}");
    from("203.0.113.9", password).await.problem(429, "rate-limited");
    from("192.0.2.1", password).await.expect(200);
    // Time: the wait that the response asked for.
    tokio::time::sleep(Duration::from_secs(wait)).await;
    from("203.0.113.9", password).await.expect(200);
    app.finish().await;
}
