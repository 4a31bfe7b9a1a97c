//! `Taskfold-Log`: every response names its log, and a request may name the log that it is about. Positions and
//! versions of another log have no meaning in this one.

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use taskfold_event_log::LogIdentity;
use tokio::sync::watch;
use uuid::Uuid;

use crate::headers::{LAST_EVENT_ID, LOG, one};
use crate::problem::{Code, Problem};
use crate::tags::{self, SameInEveryLog};

/// Query parameter with the same meaning, for clients that cannot send headers. It is hidden from handlers.
pub const PARAMETER: &str = "log";

/// Routes of streams, in which a refusal is a frame.
const STREAMS: [&str; 2] = ["/v1/stream", "/v1/projects/{project_id}/events/stream"];

/// Refuses a request about another log, and names this log in the response.
pub async fn identify(State(log): State<watch::Receiver<LogIdentity>>, mut request: Request, next: Next) -> Response {
    let log = log.borrow().clone();
    let is_other_log = tags::strip(request.headers_mut(), &log);
    let mut response = match given(&request) {
        Err(problem) => problem.into_response(),
        Ok(_) if is_other_log => precondition_failed(Problem::log_changed(log.id, None)),
        Ok(Some(given)) if given != log.id => {
            let problem = Problem::log_changed(log.id, log.in_common_with(given));
            let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
            if route.is_some_and(|route| STREAMS.contains(&route.as_str())) {
                // The stream responds with `reset`, as to any cursor of another log.
                request.headers_mut().insert(LAST_EVENT_ID, HeaderValue::from_static("of-another-log"));
                next.run(request).await
            } else if matches!(*request.method(), Method::GET | Method::HEAD) {
                problem.into_response()
            } else {
                precondition_failed(problem)
            }
        }
        Ok(_) => next.run(request).await,
    };
    if let Ok(value) = HeaderValue::from_str(&log.id.to_string()) {
        response.headers_mut().insert(HeaderName::from_static(LOG), value);
    }
    if response.extensions().get::<SameInEveryLog>().is_none() {
        tags::mark(response.headers_mut(), &log);
    }
    response
}

fn precondition_failed(problem: Problem) -> Response {
    problem.with_status(StatusCode::PRECONDITION_FAILED).into_response()
}

/// The log that the request names, if any.
fn given(request: &Request) -> Result<Option<Uuid>, Problem> {
    let in_query = || {
        let query = request.uri().query().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == PARAMETER)
            .map(|(_, value)| value.into_owned())
    };
    let text = one(request.headers(), LOG)?.map(str::to_owned).or_else(in_query);
    let invalid =
        || Problem::new(Code::Malformed, "Taskfold-Log, or the parameter `log`, must be the id of a log (a UUID)");
    text.map(|text| Uuid::try_parse(&text).map_err(|_| invalid())).transpose()
}
