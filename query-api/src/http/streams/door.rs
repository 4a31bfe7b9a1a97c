use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use taskfold_domain::ids::ProjectId;
use taskfold_openapi::auth::{Means, Rejected, Ticket, bearer};
use taskfold_openapi::headers::one;
use taskfold_openapi::{Caller, Code, Problem};
use utoipa::IntoParams;
use uuid::Uuid;

use super::ticket;
use crate::http::app::App;
use crate::http::error::{ReadError, cursor_ahead};
use crate::http::values::Position;
use crate::live::{Cursor, Door, Follower, NoPlace, NotKnown, Notice, Opening, Takeover, removed_at};

const LAST_EVENT_ID: &str = "last-event-id";
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
    /// The `id:` of the last frame that was seen: goes on behind it, and wins over `since`. Browsers send it by
    /// themselves when they reconnect. With it, refusals are frames of a 200 answer, where `EventSource` can read them.
    #[param(rename = "Last-Event-ID", example = "1042")]
    last_event_id: Option<String>,
}

/// A request for a stream.
pub struct Knock {
    from: Option<Cursor>,
    reconnect: bool,
    presence: bool,
    token: Result<(Caller, Option<Ticket>), Refused>,
}

enum Refused {
    Rejected(Rejected),
    Problem(ReadError),
}

impl Knock {
    pub async fn new(
        app: &App,
        headers: &HeaderMap,
        since: Option<Position>,
        ticket: Option<&str>,
    ) -> Result<Self, ReadError> {
        let last = last_event_id(headers)?;
        Ok(Self {
            from: last.or(since.map(|p| Cursor::behind(p.0))),
            reconnect: last.is_some(),
            presence: true,
            token: authenticate(app, headers, ticket).await,
        })
    }

    /// Whether the stream also says who is there; it does unless told not to.
    pub fn with_presence(self, wanted: Option<bool>) -> Self {
        Self { presence: wanted.unwrap_or(true), ..self }
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
            Err(Refused::Rejected(Rejected::Expired)) if self.reconnect => {
                return Ok(last_words(&[Notice::Reauth { seconds: 0 }]));
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
                return self.no_place("Streams are opened too fast".to_owned(), Duration::ZERO);
            }
            Err(NoPlace::Taken { most }) => {
                return self.no_place(format!("One person may have {most} streams open"), NO_PLACE_WAIT);
            }
        };
        if !app.hub.has_begun(BEGIN_LIMIT).await {
            return Err(Problem::unavailable("The live feed").into());
        }
        let reaches = |project: &Uuid| caller.scope.reaches(ProjectId(*project));
        let within: Vec<Uuid> = projects.iter().copied().filter(reaches).collect();
        let known = match app.hub.members().of(caller.user_id.0, &within).await {
            Err(behind @ NotKnown::Behind { .. }) => {
                return self.come_back(Duration::ZERO).ok_or_else(|| behind.into());
            }
            known => known?,
        };
        let (head, member_at) = (known.head, known.checkpoint);
        let ahead = self.from.is_some_and(|from| from.position() > head);
        let doors = known.visible.iter().map(|project| Door { project: *project, member_at });
        let mut opening = Opening {
            user: caller.user_id,
            expires_at: caller.expires_at,
            revoked_token: revoked_token(app, caller.means),
            projects: doors.collect(),
            revoked: Vec::new(),
            from: self.from,
            me,
            place,
            presence: self.presence,
        };
        for project in projects.iter().filter(|project| !known.visible.contains(project)) {
            if !self.reconnect {
                return Err(Problem::not_found().into());
            }
            // Removed while away: the removal, and what came before it, is still theirs to see.
            let from = self.from.map_or(i64::MAX, Cursor::position);
            match removed_at(app.hub.pool(), *project, caller.user_id.0, from).await? {
                Some(removal) if !ahead && reaches(project) => {
                    opening.projects.push(Door { project: *project, member_at: removal - 1 });
                }
                _ => opening.revoked.push(*project),
            }
        }
        if opening.projects.is_empty() && !me {
            let notices: Vec<Notice> = opening.revoked.into_iter().map(|project| Notice::Revoked { project }).collect();
            return Ok(last_words(&notices));
        }
        if ahead {
            return if self.reconnect { Ok(last_words(&[Notice::Reset { head }])) } else { Err(cursor_ahead(head)) };
        }
        if let Some(ticket) = ticket
            && !ticket::use_up(app.hub.pool(), ticket).await?
        {
            return if self.reconnect { Ok(last_words(&[Notice::Reauth { seconds: 0 }])) } else { Err(used()) };
        }
        let stream = Takeover::new(Follower::new(app.hub.clone(), opening, app.shutdown.clone()));
        let mut answer = event_stream(Body::from_stream(stream.clone().body()));
        answer.extensions_mut().insert(stream);
        Ok(answer)
    }
}

impl Knock {
    fn no_place(&self, detail: String, wait: Duration) -> Result<Response, ReadError> {
        metrics::counter!("taskfold_sse_refused_total").increment(1);
        self.come_back(wait)
            .ok_or_else(|| Problem::new(Code::RateLimited, detail).retry_after(wait.as_secs() as u32 + 1).into())
    }

    /// A browser that comes back hears a refusal where it can read it, and comes again.
    fn come_back(&self, wait: Duration) -> Option<Response> {
        let served = self.from.filter(|_| self.reconnect)?;
        Some(last_words(&[Notice::Drain { served, retry_ms: wait.as_millis() as u32 + RETRY_AT_LEAST_MS }]))
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

/// The `id:` of the last frame that was seen.
fn last_event_id(headers: &HeaderMap) -> Result<Option<Cursor>, ReadError> {
    let Some(text) = one(headers, LAST_EVENT_ID)? else { return Ok(None) };
    let wrong = || Problem::invalid_field(format!("/{LAST_EVENT_ID}"), "must be the id of a frame: a position");
    Cursor::parse(text).map(Some).ok_or_else(|| wrong().into())
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
fn last_words(notices: &[Notice]) -> Response {
    let text: Vec<Bytes> = notices.iter().map(Notice::encode).collect();
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
