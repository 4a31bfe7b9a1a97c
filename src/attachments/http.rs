//! HTTP client of the S3 store.

use std::error::Error as _;
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use reqwest::Client;

/// Limit of connecting.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Limit between two reads of a response.
const IDLE_LIMIT: Duration = Duration::from_secs(30);

/// Provides the S3 store with the HTTP client that the program uses already.
#[derive(Debug)]
pub struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = Client::builder().connect_timeout(CONNECT_LIMIT).read_timeout(IDLE_LIMIT).build();
        client
            .map(|client| HttpClient::new(Service(client)))
            .map_err(|error| object_store::Error::Generic { store: "S3", source: Box::new(error) })
    }
}

#[derive(Debug)]
struct Service(Client);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let request = reqwest::Request::try_from(request.map(reqwest::Body::wrap)).map_err(error)?;
        let response: http::Response<reqwest::Body> = self.0.execute(request).await.map_err(error)?.into();
        Ok(response.map(|body| HttpResponseBody::new(body.map_err(error))))
    }
}

/// Converts an error. Its kind decides whether the store tries again.
fn error(error: reqwest::Error) -> HttpError {
    let mut lost = false;
    let mut cause = error.source();
    while let Some(error) = cause {
        lost |= error.is::<std::io::Error>()
            || error.downcast_ref::<hyper::Error>().is_some_and(|e| e.is_closed() || e.is_incomplete_message());
        cause = error.source();
    }
    let kind = if error.is_timeout() {
        HttpErrorKind::Timeout
    } else if error.is_connect() {
        HttpErrorKind::Connect
    } else if lost {
        HttpErrorKind::Interrupted
    } else {
        HttpErrorKind::Unknown
    };
    // Without the URL, which contains the signature of a signed request.
    HttpError::new(kind, error.without_url())
}
