//! A client of the HTTP APIs, and its responses.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::Sse;

pub const PASSWORD: &str = "correct horse battery";

/// A person or service that sends requests; without a token, an anonymous one.
#[derive(Clone)]
pub struct Actor {
    pub url: String,
    pub user_id: String,
    pub token: Option<String>,
    pub refresh_token: String,
    pub client: reqwest::Client,
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    /// The body, if the status is this.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    /// Checks for a problem with this status and code.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> &Value {
        assert_eq!((self.status.as_u16(), self.body["code"].as_str()), (status, Some(code)), "{}", self.body);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["type"], format!("/problems/{code}"));
        assert_eq!(self.body["status"], status);
        &self.body
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|v| v.to_str().unwrap()).unwrap_or_default()
    }

    pub fn position(&self) -> i64 {
        self.header("taskfold-position").parse().unwrap()
    }
}

impl Actor {
    pub fn anonymous(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            user_id: String::new(),
            token: None,
            refresh_token: String::new(),
            client: reqwest::Client::builder().build().unwrap(),
        }
    }

    pub async fn sign_up(url: &str, username: &str) -> Self {
        let anonymous = Self::anonymous(url);
        let account = json!({"username": username, "display_name": username.to_uppercase(), "password": PASSWORD});
        anonymous.post("/v1/accounts", account).await.expect(201);
        anonymous.sign_in(username).await
    }

    pub async fn sign_in(&self, username: &str) -> Self {
        let session = self.post("/v1/sessions", json!({"username": username, "password": PASSWORD})).await.expect(200);
        Self {
            user_id: session["user_id"].as_str().unwrap().to_owned(),
            token: Some(session["access_token"].as_str().unwrap().to_owned()),
            refresh_token: session["refresh_token"].as_str().unwrap().to_owned(),
            ..self.clone()
        }
    }

    /// Creates an API token with this body; returns a client that uses it.
    pub async fn api_token(&self, body: Value) -> Self {
        let made = self.post("/v1/api-tokens", body).await.expect(201);
        self.with_token(made["token"].as_str().unwrap())
    }

    /// The same client with another token: the server determines the user from the token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// A read with `Taskfold-Min-Position`, which waits for this position.
    pub async fn get_at(&self, path: &str, position: i64) -> Answer {
        let request = self.request(Method::GET, path).header("taskfold-min-position", position);
        self.send(request.header("prefer", "wait=20")).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PATCH, path).json(&body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        let request = self.request(Method::PUT, path);
        self.send(if body.is_null() { request } else { request.json(&body) }).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Creates a project with the default columns; returns its id and the ids of the columns.
    pub async fn project(&self, name: &str) -> (String, [String; 3]) {
        let body = self.post("/v1/projects", json!({"name": name})).await.expect(201);
        let columns = &body["events"][0]["changes"]["columns"]["to"];
        let column = |i: usize| columns[i]["id"].as_str().unwrap().to_owned();
        (body["id"].as_str().unwrap().to_owned(), [column(0), column(1), column(2)])
    }

    pub async fn task(&self, project: &str, title: &str) -> String {
        let body = self.post(&format!("/v1/projects/{project}/tasks"), json!({"title": title})).await.expect(201);
        body["id"].as_str().unwrap().to_owned()
    }

    pub async fn stream(&self, path: &str) -> Sse {
        Sse::open(self.request(Method::GET, path)).await
    }
}
