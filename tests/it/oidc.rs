//! Tokens of an external issuer, which is a small server of the test with keys made here.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use p256::pkcs8::EncodePrivateKey as _;
use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::rand_core::OsRng;
use serde_json::{Value, json};

use crate::harness::{Actor, Answer, App, eventually, new_id, now};

const AUDIENCE: &str = "taskfold-tests";
/// Minimum interval at which the program fetches keys.
const FETCH_APART: Duration = Duration::from_secs(10);

#[derive(Clone)]
struct Key {
    kid: &'static str,
    algorithm: Algorithm,
    private: EncodingKey,
}

impl Key {
    fn rs256(kid: &'static str) -> Self {
        // One for all tests: generating it takes a while.
        static DER: OnceLock<Vec<u8>> = OnceLock::new();
        let der = DER.get_or_init(|| {
            let key = rsa::RsaPrivateKey::new(&mut OsRng, 2048).unwrap();
            key.to_pkcs1_der().unwrap().as_bytes().to_vec()
        });
        Self { kid, algorithm: Algorithm::RS256, private: EncodingKey::from_rsa_der(der) }
    }

    fn es256(kid: &'static str) -> Self {
        let key = p256::SecretKey::random(&mut OsRng).to_pkcs8_der().unwrap();
        Self { kid, algorithm: Algorithm::ES256, private: EncodingKey::from_ec_der(key.as_bytes()) }
    }

    fn eddsa(kid: &'static str) -> Self {
        // PKCS#8 of a private key alone (RFC 8410, 7): any 32 bytes are one.
        const HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let der = [HEAD.as_slice(), &rand::random::<[u8; 32]>()].concat();
        Self { kid, algorithm: Algorithm::EdDSA, private: EncodingKey::from_ed_der(&der) }
    }

    /// The public key as in a JWKS, without `alg`, which is the harder case for a reader.
    fn public(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.private, self.algorithm).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = self.kid.into();
        jwk["use"] = "sig".into();
        jwk.as_object_mut().unwrap().remove("alg");
        jwk
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.kid.to_owned()), ..Header::new(self.algorithm) };
        encode(&header, claims, &self.private).unwrap()
    }
}

#[derive(Default)]
struct Served {
    url: Mutex<String>,
    keys: Mutex<Vec<Value>>,
    fetches: AtomicU32,
    away: AtomicBool,
}

#[derive(Clone)]
struct Issuer(Arc<Served>);

impl Issuer {
    async fn start(keys: &[&Key]) -> Self {
        let issuer = Self(Arc::default());
        issuer.publish(keys);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        *issuer.0.url.lock().unwrap() = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(jwks))
            .with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        issuer
    }

    fn publish(&self, keys: &[&Key]) {
        // Among keys that the program cannot use.
        let others = [json!({"kty": "oct", "kid": "shared", "k": "c2VjcmV0"}), json!({"kty": "new", "kid": "x"})];
        let keys = keys.iter().map(|key| key.public()).chain(others);
        *self.0.keys.lock().unwrap() = keys.collect();
    }

    fn url(&self) -> String {
        self.0.url.lock().unwrap().clone()
    }

    async fn app(&self) -> App {
        App::start_with(&["--oidc-issuer", &self.url(), "--oidc-audience", AUDIENCE]).await
    }

    fn claims(&self, subject: &str) -> Value {
        let now = now().utc().timestamp();
        json!({
            "iss": self.url(), "aud": ["other", AUDIENCE], "sub": subject, "iat": now, "nbf": now, "exp": now + 600,
            "preferred_username": subject, "name": "Ada Lark", "email": "ada@example.com",
        })
    }

    fn fetches(&self) -> u32 {
        self.0.fetches.load(Ordering::SeqCst)
    }
}

async fn discovery(State(issuer): State<Issuer>) -> Json<Value> {
    let url = issuer.url();
    Json(json!({"issuer": url, "jwks_uri": format!("{url}/keys"), "authorization_endpoint": url}))
}

async fn jwks(State(issuer): State<Issuer>) -> Result<Json<Value>, StatusCode> {
    issuer.0.fetches.fetch_add(1, Ordering::SeqCst);
    if issuer.0.away.load(Ordering::SeqCst) {
        return Err(StatusCode::BAD_GATEWAY);
    }
    Ok(Json(json!({"keys": *issuer.0.keys.lock().unwrap()})))
}

async fn me(app: &App, token: &str) -> Answer {
    app.anonymous().with_token(token).get("/v1/me").await
}

#[tokio::test]
async fn the_first_request_to_either_api_creates_an_account() {
    let (rs256, es256) = (Key::rs256("one"), Key::es256("two"));
    let issuer = Issuer::start(&[&rs256, &es256]).await;
    let app = issuer.app().await;
    app.person("ada").await;

    // Seen first by the query-api; the name is taken here.
    let ada = app.anonymous().with_token(&rs256.sign(&issuer.claims("ada")));
    let account = ada.get("/v1/me").await.expect(200);
    let name = account["username"].as_str().unwrap();
    assert!(name.starts_with("ada-") && name.len() == 12, "{name}");
    assert_eq!(account["display_name"], "Ada Lark");
    let (project, _) = ada.project("P").await;
    let task = ada.task(&project, "T").await;

    // Seen first by the command-api, with another key.
    let bo = app.anonymous().with_token(&es256.sign(&issuer.claims("Bo.Finch@example.com")));
    let made = bo.post("/v1/projects", json!({"name": "Bo's"})).await.expect(201);
    let account = bo.get("/v1/me").await.expect(200);
    assert_eq!((&account["username"], &account["user_id"]), (&json!("bo-finch"), &made["events"][0]["actor_id"]));
    // A subject keeps its account, whatever its later names.
    let renamed = json!({"preferred_username": "robert"});
    let mut claims = issuer.claims("Bo.Finch@example.com");
    claims.as_object_mut().unwrap().extend(renamed.as_object().unwrap().clone());
    assert_eq!(me(&app, &rs256.sign(&claims)).await.expect(200)["user_id"], account["user_id"]);

    app.settle().await;
    bo.get(&format!("/v1/tasks/{task}")).await.problem(404, "not-found");
    // Such users can do what sessions can: API tokens, tickets, streams; only their sign-out is at the issuer.
    let bot = ada.api_token(json!({"name": "t", "access": "read"})).await;
    bot.get("/v1/me").await.expect(200);
    // For as long as the issuer vouches for them.
    sqlx::query("UPDATE accounts SET vouched_at = now() - interval '31 days'").execute(&app.owner).await.unwrap();
    eventually("the API token is refused", || async { (bot.get("/v1/me").await.status == 401).then_some(()) }).await;
    sqlx::query("UPDATE accounts SET vouched_at = now()").execute(&app.owner).await.unwrap();
    eventually("the API token works again", || async { (bot.get("/v1/me").await.status == 200).then_some(()) }).await;
    // A token of the issuer that is older than half an hour creates no API token.
    let mut claims = issuer.claims("ada");
    claims["iat"] = json!(now().utc().timestamp() - 1900);
    let stale = ada.with_token(&rs256.sign(&claims));
    stale
        .post("/v1/api-tokens", json!({"name": "t", "access": "read"}))
        .await
        .problem(401, "reauthentication-required");
    ada.delete("/v1/sessions/current").await.problem(403, "forbidden");
    let mut claims = issuer.claims("ada");
    claims["exp"] = json!(now().utc().timestamp() + 3);
    let brief = ada.with_token(&rs256.sign(&claims));
    let ticket = brief.post("/v1/stream-tickets", json!({})).await.expect(201)["ticket"].as_str().unwrap().to_owned();
    let mut stream = app.anonymous().stream(&format!("/v1/projects/{project}/events/stream?ticket={ticket}")).await;
    let mut last = String::new();
    while let Some(frame) = stream.next().await {
        last = frame.event;
    }
    assert_eq!(last, "reauth");
    // An account without a password cannot be signed in to with one.
    let guess = json!({"username": "bo-finch", "password": ""});
    app.anonymous().post("/v1/sessions", guess).await.problem(401, "unauthenticated");
    app.finish().await;
}

#[tokio::test]
async fn concurrent_first_requests_create_one_account() {
    let key = Key::eddsa("one");
    let issuer = Issuer::start(&[&key]).await;
    let app = issuer.app().await;
    let token = key.sign(&issuer.claims("ada"));
    let answers = futures::future::join_all((0..20).map(|_| me(&app, &token))).await;
    let ids: HashSet<String> = answers.into_iter().map(|a| a.expect(200)["user_id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn forged_tokens_and_those_of_other_audiences_are_refused() {
    let (rs256, eddsa, stranger) = (Key::rs256("rsa"), Key::eddsa("ed"), Key::eddsa("ed"));
    let issuer = Issuer::start(&[&rs256, &eddsa]).await;
    let app = issuer.app().await;
    let good = issuer.claims("ada");
    me(&app, &eddsa.sign(&good)).await.expect(200);
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name).map_or((), |_| ()),
            value => claims[name] = value,
        }
        eddsa.sign(&claims)
    };
    let now = now().utc().timestamp();
    let part = |json: Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let public = BASE64_URL_SAFE_NO_PAD.decode(eddsa.public()["x"].as_str().unwrap()).unwrap();
    let hmac = |kid: &str, secret: &[u8]| {
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::HS256) };
        encode(&header, &good, &EncodingKey::from_secret(secret)).unwrap()
    };
    let swapped = |key: &Key, kid: &str| {
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(key.algorithm) };
        encode(&header, &good, &key.private).unwrap()
    };
    let headed = |header: Value| {
        let message = format!("{}.{}", part(header), part(good.clone()));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &eddsa.private, Algorithm::EdDSA).unwrap();
        format!("{message}.{signature}")
    };
    let cases = [
        ("another audience", with("aud", json!("somebody-else"))),
        ("no audience", with("aud", Value::Null)),
        ("another issuer", with("iss", json!("https://id.example.com"))),
        ("nearly the issuer", with("iss", json!(format!("{}/", issuer.url())))),
        ("our own issuer", with("iss", json!("taskfold"))),
        ("expired", with("exp", json!(now - 90))),
        ("for ever", with("exp", Value::Null)),
        ("not yet", with("nbf", json!(now + 90))),
        ("issued in the future", with("iat", json!(now + 90))),
        ("at no time", with("nbf", json!("soon"))),
        (
            "with an extension that must be understood",
            headed(json!({"alg": "EdDSA", "kid": "ed", "crit": ["exp"], "exp": now})),
        ),
        ("with the name of another algorithm", headed(json!({"alg": "ES256", "kid": "ed"}))),
        ("nobody", with("sub", Value::Null)),
        ("nobody by name", with("sub", json!(""))),
        ("another's signature", stranger.sign(&good)),
        ("none", format!("{}.{}.", part(json!({"alg": "none", "kid": "ed"})), part(good.clone()))),
        ("the public key as a secret", hmac("ed", &public)),
        ("the secret in the key set", hmac("shared", b"secret")),
        ("an RSA signature under the Ed25519 key", swapped(&rs256, "ed")),
        ("an Ed25519 signature under the RSA key", swapped(&eddsa, "rsa")),
        ("a key that is not there", swapped(&eddsa, "unknown")),
    ];
    for (what, token) in cases {
        let answer = me(&app, &token).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.body);
        answer.problem(401, "unauthenticated");
        let command = app.anonymous().with_token(&token).post("/v1/projects", json!({"name": "P"})).await;
        command.problem(401, "unauthenticated");
    }
    // Clocks differ a little, and the algorithm has a newer name (RFC 9864).
    let fine = [
        with("exp", json!(now - 30)),
        with("nbf", json!(now + 30)),
        with("iat", json!(now + 30)),
        with("nbf", Value::Null),
        headed(json!({"alg": "EdDSA", "kid": "ed"})),
        headed(json!({"alg": "Ed25519", "kid": "ed"})),
    ];
    for token in fine {
        me(&app, &token).await.expect(200);
    }
    // A token of the issuer is not a valid ticket.
    let path = format!("/v1/stream?me=true&ticket={}", eddsa.sign(&good));
    app.anonymous().get(&path).await.problem(401, "unauthenticated");
    let (accounts,): (i64,) = sqlx::query_as("SELECT count(*) FROM accounts").fetch_one(&app.owner).await.unwrap();
    assert_eq!(accounts, 1, "a refused token opens no account");
    app.finish().await;
}

#[tokio::test]
async fn keys_rotate_and_an_unavailable_issuer_is_not_flooded_with_requests() {
    let (old, new) = (Key::eddsa("old"), Key::es256("new"));
    let issuer = Issuer::start(&[&old]).await;
    let app = issuer.app().await;
    let begun = Instant::now();
    let claims = issuer.claims("ada");
    me(&app, &old.sign(&claims)).await.expect(200);

    // Many tokens with made-up key ids.
    let client = Actor::anonymous(&app.url);
    for _ in 0..10 {
        let storm = (0..20).map(|_| {
            let kid = new_id().to_string();
            let header = Header { kid: Some(kid), ..Header::new(Algorithm::EdDSA) };
            let stormer = client.with_token(&encode(&header, &claims, &old.private).unwrap());
            async move { stormer.get("/v1/me").await.problem(401, "unauthenticated").clone() }
        });
        futures::future::join_all(storm).await;
    }
    let at_most = |since: Instant| 2 + u32::try_from(since.elapsed().as_secs() / FETCH_APART.as_secs()).unwrap();
    assert!(issuer.fetches() <= at_most(begun), "{} fetches in {:?}", issuer.fetches(), begun.elapsed());

    // A new key is fetched for the first token that names it, once the fetch interval has passed.
    issuer.publish(&[&old, &new]);
    let token = new.sign(&claims);
    eventually("the new key is known", || async { (me(&app, &token).await.status == 200).then_some(()) }).await;
    me(&app, &old.sign(&claims)).await.expect(200);

    // Issuer unavailable: known keys stay valid, unknown ones are refused without a server error.
    issuer.0.away.store(true, Ordering::SeqCst);
    let fetches = issuer.fetches();
    let unknown = Key::eddsa("newest").sign(&claims);
    eventually("the issuer is queried without success", || async {
        me(&app, &unknown).await.problem(401, "unauthenticated");
        (issuer.fetches() > fetches).then_some(())
    })
    .await;
    me(&app, &token).await.expect(200);
    me(&app, &old.sign(&claims)).await.expect(200);
    assert!(issuer.fetches() <= at_most(begun), "{} fetches in {:?}", issuer.fetches(), begun.elapsed());
    app.finish().await;
}
