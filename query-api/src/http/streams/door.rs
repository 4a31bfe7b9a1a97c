use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use taskfold_domain::ids::ProjectId;
use taskfold_live::{Cursor, Door, Follower, NoPlace, Notice, Opening, Takeover, removed_at};
use taskfold_web::auth::{Means, Rejected, Ticket, bearer};
use taskfold_web::headers::LAST_EVENT_ID;
use taskfold_web::{Caller, Code, Problem};
use utoipa::IntoParams;
use uuid::Uuid;

use super::ticket;
use crate::http::app::App;
use crate::http::error::{ReadError, cursor_ahead};
use crate::http::pending;
use crate::http::values::Since;

/// For the hub to know where it begins, just after the start of the program.
const BEGIN_LIMIT: Duration = Duration::from_secs(2);
/// For one who has all places that one person may have.
const NO_PLACE_WAIT: Duration = Duration::from_secs(30);
const RETRY_AT_LEAST_MS: u32 = 1_000;

/// The header of a stream.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "documents the header; `Knock` reads it")]
pub struct StreamHeaders {
    /// The `id:` of the last frame that was seen: goes on behind it, and wins over `lastEventId` and `since`. Browsers send it by
    /// themselves when they reconnect. With it, refusals are frames of a 200 answer, where `EventSource` can read them.
    #[param(rename = "Last-Event-ID", example = "1042")]
    last_event_id: Option<String>,
}

/// The query of a request for a stream: what is this one's own, and what all have.
macro_rules! stream_params {
    ($($own:tt)*) => {
        #[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub struct Params {
            $($own)*
            /// Also who is there (`presence.joined`, `presence.focused`, `presence.left`); true unless set to false.
            presence: Option<bool>,
            /// The position behind which to begin, such as that of a board. Without it: from now.
            #[param(value_type = Option<String>, example = "1042")]
            since: Option<crate::http::values::Since>,
            /// The same as the header `Last-Event-ID`, for clients that send it here (event-source-polyfill). Wins over `since`.
            #[serde(rename = "lastEventId")]
            #[param(rename = "lastEventId", example = "1042")]
            last_event_id: Option<String>,
            /// The same as `lastEventId`.
            #[serde(rename = "Last-Event-ID")]
            #[param(rename = "Last-Event-ID", example = "1042")]
            last_event_id_as_header: Option<String>,
            /// In place of the header `Authorization`, for `EventSource`. Opens one stream.
            ticket: Option<String>,
        }

        impl Params {
            fn wanted(&self) -> crate::http::streams::door::Wanted<'_> {
                crate::http::streams::door::Wanted {
                    since: self.since,
                    last_event_ids: [&self.last_event_id, &self.last_event_id_as_header].map(|id| id.as_deref()),
                    ticket: self.ticket.as_deref(),
                    presence: self.presence.unwrap_or(true),
                }
            }
        }
    };
}
pub(super) use stream_params;

/// What the query of a request for a stream says.
pub struct Wanted<'a> {
    pub since: Option<Since>,
    /// In the order in which they count.
    pub last_event_ids: [Option<&'a str>; 2],
    pub ticket: Option<&'a str>,
    /// Whether the stream also says who is there.
    pub presence: bool,
}

/// From where a stream is asked to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Now,
    /// For the first time.
    Since(Since),
    /// After the frame with this id, of this epoch of the log.
    LastEvent(Cursor, usize),
    /// After a frame with an id that is none of ours.
    Unknown,
}

impl Start {
    fn of(headers: &HeaderMap, wanted: &Wanted<'_>) -> Self {
        // Not `one`: a client that reconnects hears in the stream what is wrong with its header.
        let mut sent = headers.get_all(LAST_EVENT_ID).iter();
        let header = match (sent.next(), sent.next()) {
            (None, _) => None,
            (Some(value), None) => Some(value.to_str().unwrap_or("?").trim()),
            (Some(_), Some(_)) => Some("?"),
        };
        // An empty one is that of a client that has seen none (WHATWG HTML, 9.2.3).
        let last = [header].into_iter().chain(wanted.last_event_ids).flatten().find(|id| !id.is_empty());
        match (last, wanted.since) {
            (Some(id), _) => Cursor::parse(id).map_or(Self::Unknown, |(cursor, epoch)| Self::LastEvent(cursor, epoch)),
            (None, Some(since)) => Self::Since(since),
            (None, None) => Self::Now,
        }
    }

    fn cursor(self) -> Option<Cursor> {
        match self {
            Self::Since(Since { cursor, .. }) | Self::LastEvent(cursor, _) => Some(cursor),
            Self::Now | Self::Unknown => None,
        }
    }

    /// The same in the log of now, which may have gone on otherwise from there: then nothing is known of it.
    fn resume(self, app: &App) -> Result<Self, ReadError> {
        match self {
            Self::LastEvent(cursor, epoch) if app.hub.resume((cursor, epoch)).is_none() => Ok(Self::Unknown),
            Self::Since(since) => since.resume(&app.hub).map(|_| self),
            start => Ok(start),
        }
    }

    /// Whether refusals are for somebody who reads the stream alone.
    fn is_reconnect(self) -> bool {
        match self {
            Self::LastEvent(..) | Self::Unknown => true,
            Self::Now | Self::Since(_) => false,
        }
    }

    /// Whether there is no going on from there in a log that ends at `head`.
    fn is_beyond(self, head: i64) -> bool {
        self == Self::Unknown || self.cursor().is_some_and(|cursor| cursor.position() > head)
    }
}

/// A request for a stream.
pub struct Knock {
    from: Start,
    presence: bool,
    token: Result<(Caller, Option<Ticket>), Refused>,
}

enum Refused {
    Rejected(Rejected),
    Problem(ReadError),
}

impl Knock {
    pub async fn new(app: &App, headers: &HeaderMap, wanted: Wanted<'_>) -> Self {
        Self {
            from: Start::of(headers, &wanted),
            presence: wanted.presence,
            token: authenticate(app, headers, wanted.ticket).await,
        }
    }

    /// The answer: a stream of these projects, or why not. Which they are is looked at once the caller is known.
    /// `me`: also what the caller is told, and so also when no project is left.
    pub async fn answer(
        self,
        app: &App,
        projects: impl FnOnce() -> Result<Vec<Uuid>, ReadError>,
        me: bool,
    ) -> Result<Response, ReadError> {
        let (caller, ticket) = match self.token {
            Ok(known) => known,
            Err(Refused::Rejected(Rejected::Expired)) if self.from.is_reconnect() => {
                return Ok(last_words(app, &[Notice::Reauth { seconds: 0 }]));
            }
            Err(Refused::Rejected(rejected)) => return Err(Problem::from(rejected).into()),
            Err(Refused::Problem(problem)) => return Err(problem),
        };
        if me && caller.scope.project.is_some() {
            let detail = "A token for one project does not hear what its maker is told of others";
            return Err(Problem::new(Code::Forbidden, detail).into());
        }
        let projects = projects()?;
        let place = match app.hub.places().take(caller.user_id.0) {
            Ok(place) => place,
            Err(NoPlace::TooFast { wait }) => {
                // Whoever asks in a tight loop asks again as soon as this is answered.
                app.shutdown.run_until_cancelled(tokio::time::sleep(wait)).await;
                return self.no_place(app, "Streams are opened too fast".to_owned(), Duration::ZERO);
            }
            Err(NoPlace::Taken { most }) => {
                return self.no_place(app, format!("One person may have {most} streams open"), NO_PLACE_WAIT);
            }
        };
        if !app.hub.has_begun(BEGIN_LIMIT).await {
            return Err(Problem::unavailable("The live feed").into());
        }
        let reaches = |project: &Uuid| caller.scope.reaches(ProjectId(*project));
        let within: Vec<Uuid> = projects.iter().copied().filter(reaches).collect();
        let known = match pending::memberships(app, caller.user_id.0, &within).await {
            Ok(known) => known,
            Err(error) => return self.later(app, error, Duration::ZERO),
        };
        let (head, member_at) = (known.head, known.checkpoint);
        let from = self.from.resume(app)?;
        let ahead = from.is_beyond(head);
        let doors = known.visible.iter().map(|project| Door { project: *project, member_at });
        let mut opening = Opening {
            user: caller.user_id,
            expires_at: caller.expires_at,
            revoked_token: revoked_token(app, caller.means),
            projects: doors.collect(),
            revoked: Vec::new(),
            from: from.cursor(),
            me,
            place,
            presence: self.presence,
        };
        for project in projects.iter().filter(|project| !known.sees(project)) {
            if !self.from.is_reconnect() {
                return Err(Problem::not_found().into());
            }
            // Removed while away: the removal, and what came before it, is still theirs to see.
            let from = from.cursor().map_or(i64::MAX, Cursor::position);
            match removed_at(app.hub.pool(), *project, caller.user_id.0, from).await? {
                Some(removal) if !ahead && reaches(project) => {
                    opening.projects.push(Door { project: *project, member_at: removal - 1 });
                }
                _ => opening.revoked.push(*project),
            }
        }
        if opening.projects.is_empty() && !me {
            let notices: Vec<Notice> = opening.revoked.into_iter().map(|project| Notice::Revoked { project }).collect();
            return Ok(last_words(app, &notices));
        }
        if ahead {
            return if self.from.is_reconnect() {
                Ok(last_words(app, &[Notice::Reset { head }]))
            } else {
                Err(cursor_ahead(head))
            };
        }
        if let Some(ticket) = ticket
            && !ticket::use_up(app.hub.pool(), ticket).await?
        {
            return if self.from.is_reconnect() {
                Ok(last_words(app, &[Notice::Reauth { seconds: 0 }]))
            } else {
                Err(used())
            };
        }
        let stream = Takeover::new(Follower::new(app.hub.clone(), opening, app.shutdown.clone()));
        let mut answer = event_stream(Body::from_stream(stream.clone().body()));
        answer.extensions_mut().insert(stream);
        Ok(answer)
    }
}

impl Knock {
    fn no_place(&self, app: &App, detail: String, wait: Duration) -> Result<Response, ReadError> {
        metrics::counter!("taskfold_sse_refused_total").increment(1);
        let problem = Problem::new(Code::RateLimited, detail).retry_after(wait.as_secs() as u32 + 1);
        self.later(app, problem.into(), wait)
    }

    /// A browser that comes back hears it where it can read it, and comes again.
    fn later(&self, app: &App, error: ReadError, wait: Duration) -> Result<Response, ReadError> {
        match self.from {
            Start::LastEvent(served, _) => {
                let retry_ms = wait.as_millis() as u32 + RETRY_AT_LEAST_MS;
                Ok(last_words(app, &[Notice::Drain { served, retry_ms }]))
            }
            Start::Now | Start::Since(_) | Start::Unknown => Err(error),
        }
    }
}

/// The header first; a ticket for those who cannot send one.
async fn authenticate(
    app: &App,
    headers: &HeaderMap,
    ticket: Option<&str>,
) -> Result<(Caller, Option<Ticket>), Refused> {
    let token = bearer(headers).map_err(|problem| Refused::Problem(problem.into()))?;
    match (token, ticket) {
        (Some(token), _) => app.verifier.verify(token).await.map(|caller| (caller, None)).map_err(Refused::Rejected),
        (None, Some(ticket)) => {
            let verified = app.verifier.verify_ticket(ticket).await;
            verified.map(|(caller, ticket)| (caller, Some(ticket))).map_err(Refused::Rejected)
        }
        (None, None) => {
            let detail = "Send `Authorization: Bearer <access token>`, or `?ticket=`";
            Err(Refused::Problem(Problem::new(Code::Unauthenticated, detail).into()))
        }
    }
}

fn used() -> ReadError {
    Problem::new(Code::Unauthenticated, "The ticket has been used: it opens one stream").into()
}

/// Ends when an API token is revoked; streams of sessions carry nothing of the kind.
pub fn revoked_token(app: &App, means: Means) -> Option<BoxFuture<'static, ()>> {
    let verifier = app.verifier.clone();
    match means {
        Means::ApiToken(_) => Some(async move { verifier.revoked(means).await }.boxed()),
        Means::Session(_) | Means::Outside => None,
    }
}

/// A stream that says why it ends, and ends.
fn last_words(app: &App, notices: &[Notice]) -> Response {
    let text: Vec<Bytes> = notices.iter().map(|notice| notice.encode(app.hub.epoch())).collect();
    event_stream(Body::from(text.concat()))
}

fn event_stream(body: Body) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // nginx and its kin would hold frames back to fill a buffer.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (StatusCode::OK, headers, body).into_response()
}
