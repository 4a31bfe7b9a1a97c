//! An HTTP client on one persistent connection.

use anyhow::{Context as _, ensure};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// A persistent connection for one request at a time.
pub struct Client {
    connection: SendRequest<Full<Bytes>>,
    pub token: String,
    /// `ETag` of a response that the client already has; 304 is then accepted.
    pub known: Option<String>,
}

impl Client {
    pub async fn connect(address: &str, token: &str) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(address).await.context("connecting")?;
        socket.set_nodelay(true)?;
        let (connection, driver) = http1::handshake(TokioIo::new(socket)).await?;
        tokio::spawn(driver);
        Ok(Self { connection, token: token.to_owned(), known: None })
    }

    pub async fn open(&mut self, method: &str, path: &str, body: String) -> anyhow::Result<Response<Incoming>> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "bench")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.token));
        if let Some(tag) = &self.known {
            request = request.header("if-none-match", tag);
        }
        let request = request.body(Full::new(Bytes::from(body)))?;
        self.connection.ready().await?;
        Ok(self.connection.send_request(request).await?)
    }

    /// Sends a request and returns the response body; an error for any status that is not a success.
    pub async fn send(&mut self, method: &str, path: &str, body: String) -> anyhow::Result<Bytes> {
        let answer = self.open(method, path, body).await?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await?.to_bytes();
        let unchanged = status == 304 && self.known.is_some();
        ensure!(status.is_success() || unchanged, "{method} {path}: {status} {}", String::from_utf8_lossy(&bytes));
        Ok(bytes)
    }

    pub async fn json(&mut self, method: &str, path: &str, body: String) -> anyhow::Result<Value> {
        Ok(serde_json::from_slice(&self.send(method, path, body).await?)?)
    }
}

pub fn text<'a>(value: &'a Value, field: &str) -> anyhow::Result<&'a str> {
    value[field].as_str().with_context(|| format!("no {field} in {value}"))
}
