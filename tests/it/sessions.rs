//! Accounts, sessions and tokens.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use crate::harness::{Actor, App, TestEnvironment, now};

#[tokio::test]
async fn an_account_is_created_once_and_validated() {
    let app = App::start().await;
    let anonymous = app.anonymous();
    let new = |username: &str, password: &str| json!({"username": username, "display_name": "N", "password": password});
    anonymous.post("/v1/accounts", new("ada", "long enough")).await.expect(201);
    anonymous.post("/v1/accounts", new("ada", "long enough")).await.problem(409, "already-exists");
    for (username, password, pointer) in
        [("A", "long enough", "/username"), ("ok-name", "short", "/password"), ("bad name", "long enough", "/username")]
    {
        let answer = anonymous.post("/v1/accounts", new(username, password)).await;
        assert_eq!(answer.problem(422, "validation-failed")["errors"][0]["pointer"], pointer);
    }
    let wrong = anonymous.post("/v1/sessions", json!({"username": "ada", "password": "wrong password"})).await;
    let unknown = anonymous.post("/v1/sessions", json!({"username": "nobody", "password": "wrong password"})).await;
    assert_eq!(wrong.problem(401, "unauthenticated"), unknown.problem(401, "unauthenticated"));
    assert!(wrong.header("www-authenticate").starts_with("Bearer"));
    app.finish().await;
}

#[tokio::test]
async fn a_refresh_token_works_once_and_its_later_reuse_ends_the_session() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let refresh = async |token: &str| ada.post("/v1/sessions/refresh", json!({"refresh_token": token})).await;
    let second = refresh(&ada.refresh_token).await.expect(200);
    let second = second["refresh_token"].as_str().unwrap().to_owned();
    age_spent_tokens(&app).await;
    refresh(&ada.refresh_token).await.problem(401, "unauthenticated");
    // The token was copied: the new one is revoked too.
    refresh(&second).await.problem(401, "unauthenticated");

    let again = ada.sign_in("ada").await;
    assert_eq!(again.delete("/v1/sessions/current").await.status, 204);
    refresh(&again.refresh_token).await.problem(401, "unauthenticated");
    app.finish().await;
}

/// Makes the refresh tokens that were replaced older than they may be used again.
async fn age_spent_tokens(app: &App) {
    let aged = "UPDATE spent_refresh_tokens SET spent_at = spent_at - interval '11 seconds'";
    sqlx::query(aged).execute(&app.owner).await.unwrap();
}

/// Two tabs, or a client that did not get the response.
#[tokio::test]
async fn refreshes_with_one_token_within_seconds_get_the_same_successor() {
    let environment = TestEnvironment::new().await;
    let (app, second) = (App::start_at(environment.clone()).await, App::start_at(environment).await);
    let ada = app.person("ada").await;
    let on_second = Actor { url: second.url.clone(), ..ada.clone() };
    let refresh = async |actor: &Actor, token: &str| {
        let refreshed = actor.post("/v1/sessions/refresh", json!({"refresh_token": token})).await.expect(200);
        ada.with_token(refreshed["access_token"].as_str().unwrap()).get("/v1/me").await.expect(200);
        refreshed["refresh_token"].as_str().unwrap().to_owned()
    };
    let first = &ada.refresh_token;
    let (one, other) = tokio::join!(refresh(&ada, first), refresh(&on_second, first));
    assert_eq!(one, other);
    assert_eq!(refresh(&ada, first).await, one);
    // One tab is a token ahead of the other.
    let next = refresh(&ada, &one).await;
    assert_eq!(refresh(&on_second, first).await, next);
    assert_eq!(refresh(&on_second, &one).await, next);
    let stored: Vec<String> = sqlx::query_scalar("SELECT s::text FROM sessions s").fetch_all(&app.owner).await.unwrap();
    for token in [first, &one, &next] {
        assert!(stored.iter().all(|row| !row.contains(token.as_str())), "stored in clear");
    }

    age_spent_tokens(&app).await;
    refresh(&ada, &next).await;
    ada.post("/v1/sessions/refresh", json!({"refresh_token": first})).await.problem(401, "unauthenticated");
    ada.post("/v1/sessions/refresh", json!({"refresh_token": next})).await.problem(401, "unauthenticated");
    second.stop().await;
    app.finish().await;
}

#[tokio::test]
async fn a_session_ends_after_180_days_however_often_it_is_refreshed() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let aged = "UPDATE sessions SET created_at = now() - interval '179 days 23 hours'";
    sqlx::query(aged).execute(&app.owner).await.unwrap();
    ada.post("/v1/sessions/refresh", json!({"refresh_token": ada.refresh_token})).await.expect(200);
    let left: f64 = sqlx::query_scalar("SELECT extract(epoch FROM expires_at - now())::float8 FROM sessions")
        .fetch_one(&app.owner)
        .await
        .unwrap();
    assert!((3_000.0..=3_600.0).contains(&left), "{left}");
    app.finish().await;
}

fn forged(header: &serde_json::Value, claims: &serde_json::Value, signature: &str) -> String {
    let part = |json: &serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let app = App::start().await;
    let ada = app.person("ada").await;
    let token = ada.token.clone().unwrap();
    let mut parts = token.split('.');
    let (header, claims, signature) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let decode = |part: &str| -> serde_json::Value {
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let kid = decode(header)["kid"].clone();
    let mut later = decode(claims);
    later["exp"] = json!(4_000_000_000_i64);
    let ticket = ada.post("/v1/stream-tickets", json!({})).await.expect(201)["ticket"].clone();
    let tokens = [
        String::new(),
        "nonsense".to_owned(),
        forged(&json!({"alg": "none", "typ": "JWT"}), &decode(claims), ""),
        forged(&json!({"alg": "none", "typ": "JWT", "kid": kid}), &decode(claims), ""),
        forged(&json!({"alg": "HS256", "typ": "JWT", "kid": kid}), &decode(claims), signature),
        forged(&decode(header), &later, signature),
        forged(&json!({"alg": "EdDSA", "kid": "another"}), &decode(claims), signature),
        // Valid for streams, not for requests.
        ticket.as_str().unwrap().to_owned(),
    ];
    for token in tokens {
        let actor = Actor { token: Some(token.clone()), ..ada.clone() };
        let answer = actor.get("/v1/me").await;
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{token}");
        answer.problem(401, "unauthenticated");
    }
    ada.get("/v1/me").await.expect(200);
    app.finish().await;
}

#[tokio::test]
async fn the_public_keys_are_published() {
    let app = App::start().await;
    let keys = app.anonymous().get("/.well-known/jwks.json").await.expect(200);
    let key = &keys["keys"][0];
    assert_eq!((&key["kty"], &key["crv"], &key["alg"]), (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA")));
    assert_eq!(BASE64_URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap().len(), 32);
    app.finish().await;
}

#[tokio::test]
async fn an_expired_access_token_is_refused() {
    use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
    let app = App::start().await;
    let ada = app.person("ada").await;
    let (kid, pem): (String, String) =
        sqlx::query_as("SELECT kid, private_pem FROM signing_keys").fetch_one(&app.owner).await.unwrap();
    let key = EncodingKey::from_ed_pem(pem.as_bytes()).unwrap();
    let header = Header { kid: Some(kid), ..Header::new(Algorithm::EdDSA) };
    let now = now().utc().timestamp();
    let status = async |exp: i64| {
        let claims = json!({
            "iss": "taskfold", "aud": "taskfold", "sub": ada.user_id, "sid": uuid::Uuid::nil(), "iat": exp - 900, "exp": exp,
        });
        let token = encode(&header, &claims, &key).unwrap();
        Actor { token: Some(token), ..ada.clone() }.get("/v1/me").await.status.as_u16()
    };
    // The signature is valid, and the expiry decides.
    assert_eq!((status(now + 60).await, status(now - 60).await), (200, 401));
    app.finish().await;
}
