//! Refusals of streams: each one is logged once with its reason, counted by reason, and answered with a problem, or
//! with last frames for a client that reconnects.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use taskfold_domain::ids::UserId;
use taskfold_event_log::metrics;
use taskfold_live::{ControlFrame, QuotaExceeded};
use taskfold_web::auth::Rejected;
use taskfold_web::{Code, Problem};
use uuid::Uuid;

use super::start::Start;
use crate::http::app::App;
use crate::http::error::{ReadError, cursor_ahead};

/// Retry time for a user who has as many streams open as they may.
const TOO_MANY_RETRY: Duration = Duration::from_secs(30);
const MIN_RETRY_MS: u32 = 1_000;

/// Reasons why a stream is not opened.
#[derive(Debug)]
pub(super) enum Refusal {
    Token(Rejected),
    TicketUsed,
    /// The request is not valid, or could not be processed.
    Request(ReadError),
    Quota(QuotaExceeded),
    /// The live feed has not started.
    NotStarted,
    /// The memberships could not be read.
    Memberships(ReadError),
    NotFound,
    /// The user is not a member of any of the requested projects any more.
    AccessRevoked(Vec<Uuid>),
    /// The log ends before the client's cursor, or does not contain it.
    CursorAhead {
        head: i64,
    },
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        Self::Request(error)
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Request(problem.into())
    }
}

impl Refusal {
    /// Value of the field and label `reason`.
    fn reason(&self) -> &'static str {
        match self {
            Self::Token(Rejected::Expired) => "token-expired",
            Self::Token(Rejected::Invalid) => "token-invalid",
            Self::Token(Rejected::Ended) => "session-ended",
            Self::Token(Rejected::Unavailable) | Self::NotStarted => Code::Unavailable.as_str(),
            Self::TicketUsed => "ticket-used",
            Self::Request(error) | Self::Memberships(error) => error.code().as_str(),
            Self::Quota(QuotaExceeded::TooMany { .. }) => "too-many-streams",
            Self::Quota(QuotaExceeded::TooFast { .. }) => "opened-too-fast",
            Self::NotFound => Code::NotFound.as_str(),
            Self::AccessRevoked(_) => "access-revoked",
            Self::CursorAhead { .. } => Code::CursorAhead.as_str(),
        }
    }

    /// The reason, if the token or ticket was refused and has not merely expired.
    pub(super) fn of_token(&self) -> Option<&'static str> {
        let is_refused = matches!(self, Self::Token(Rejected::Invalid | Rejected::Ended) | Self::TicketUsed);
        is_refused.then(|| self.reason())
    }

    /// Logs and counts the refusal.
    pub(super) fn record(&self, user: Option<UserId>, start: Start) {
        let reason = self.reason();
        metrics::sse_refused(reason).increment(1);
        tracing::info!(
            user_id = user.map(tracing::field::display),
            reason,
            position = start.cursor().map(|cursor| cursor.position()),
            reconnect = start.is_reconnect(),
            "stream refused"
        );
    }

    /// Answers the request. `EventSource` hides the status of a reconnect from its page, and gives up on one that is
    /// not 200: such a client gets the reason as frames of a stream.
    pub(super) fn into_response(self, app: &App, start: Start) -> Result<Response, ReadError> {
        let is_reconnect = start.is_reconnect();
        match self {
            Self::Token(Rejected::Expired | Rejected::Ended) | Self::TicketUsed if is_reconnect => {
                Ok(last_frames(app, &[ControlFrame::Reauth { seconds: 0 }]))
            }
            Self::Token(rejected) => Err(Problem::from(rejected).into()),
            Self::TicketUsed => {
                let detail = "The ticket has been used; a ticket opens one stream";
                Err(Problem::new(Code::Unauthenticated, detail).into())
            }
            Self::Request(error) => Err(error),
            Self::Quota(QuotaExceeded::TooMany { max }) => {
                retry_later(app, start, rate_limited(format!("A user may have {max} streams open"), TOO_MANY_RETRY))
            }
            // The response was delayed already.
            Self::Quota(QuotaExceeded::TooFast { .. }) => {
                let detail = "The user opens streams too fast".to_owned();
                retry_later(app, start, rate_limited(detail, Duration::ZERO))
            }
            Self::NotStarted => Err(Problem::unavailable("The live feed").into()),
            Self::Memberships(error) => retry_later(app, start, (error, Duration::ZERO)),
            Self::NotFound => Err(Problem::not_found().into()),
            Self::AccessRevoked(projects) => {
                let frames: Vec<_> = projects.into_iter().map(|project| ControlFrame::Revoked { project }).collect();
                Ok(last_frames(app, &frames))
            }
            Self::CursorAhead { head } if is_reconnect => Ok(last_frames(app, &[ControlFrame::Reset { head }])),
            Self::CursorAhead { head } => Err(cursor_ahead(head)),
        }
    }
}

fn rate_limited(detail: String, retry: Duration) -> (ReadError, Duration) {
    let problem = Problem::new(Code::RateLimited, detail).retry_after(retry.as_secs() as u32 + 1);
    (problem.into(), retry)
}

/// Makes a client that reconnects try again later, without giving up.
fn retry_later(app: &App, start: Start, (error, retry): (ReadError, Duration)) -> Result<Response, ReadError> {
    match start {
        Start::LastEvent(served, _) => {
            let retry_ms = retry.as_millis() as u32 + MIN_RETRY_MS;
            Ok(last_frames(app, &[ControlFrame::Drain { served, retry_ms }]))
        }
        Start::Head | Start::Since(_) | Start::UnknownEvent => Err(error),
    }
}

/// Stream that has only these frames.
fn last_frames(app: &App, frames: &[ControlFrame]) -> Response {
    let frames: Vec<Bytes> = frames.iter().map(|frame| frame.encode(app.hub.epoch())).collect();
    event_stream(Body::from(frames.concat()))
}

pub(super) fn event_stream(body: Body) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // Keeps proxies such as nginx from buffering frames.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (StatusCode::OK, headers, body).into_response()
}
