//! Requests for a stream: authentication, quota, memberships and the start, in the same way for every kind of stream.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::HeaderMap;
use taskfold_domain::ids::ProjectId;
use taskfold_live::{
    Cursor, Memberships, ProjectPermission, QuotaExceeded, Subscriber, SubscriberOptions, Takeover, recently_revoked_at,
};
use taskfold_web::audit::{self, Action};
use taskfold_web::auth::{Ticket, bearer};
use taskfold_web::client::Client;
use taskfold_web::{Caller, Code, Problem};
use utoipa::IntoParams;
use uuid::Uuid;

use super::refusal::{Refusal, event_stream};
use super::revocation::token_revocation;
use super::start::{Start, StreamQuery};
use super::ticket;
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::pending;

/// Limit for the hub to start, just after the start of the program.
const START_LIMIT: Duration = Duration::from_secs(2);

/// Header of a stream request.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "documents the header; `Start` reads it")]
pub struct StreamHeaders {
    /// The `id:` of the last frame that the client received: the stream continues after it. Takes precedence over
    /// `lastEventId` and `since`. Browsers send it when they reconnect. With it, refusals are frames of a 200 response,
    /// which `EventSource` can read.
    #[param(rename = "Last-Event-ID", example = "1042")]
    last_event_id: Option<String>,
}

/// Defines the query parameters of a stream request: its own, and those that all have.
macro_rules! stream_params {
    ($($own:tt)*) => {
        #[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub struct Params {
            $($own)*
            /// Sends presence (`presence.joined`, `presence.focused`, `presence.left`); true by default.
            presence: Option<bool>,
            /// The position after which to start, such as that of a board. The default is the end of the log.
            #[param(value_type = Option<String>, example = "1042")]
            since: Option<crate::http::values::Since>,
            /// Same as the header `Last-Event-ID`, for clients that send it here (event-source-polyfill). Takes
            /// precedence over `since`.
            #[serde(rename = "lastEventId")]
            #[param(rename = "lastEventId", example = "1042")]
            last_event_id: Option<String>,
            /// Same as `lastEventId`.
            #[serde(rename = "Last-Event-ID")]
            #[param(rename = "Last-Event-ID", example = "1042")]
            last_event_id_as_header: Option<String>,
            /// A stream ticket instead of the header `Authorization`, for `EventSource`. Opens one stream.
            ticket: Option<String>,
        }

        impl Params {
            fn stream_query(&self) -> crate::http::streams::start::StreamQuery<'_> {
                crate::http::streams::start::StreamQuery {
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

/// Request for a stream.
pub struct StreamRequest {
    client: Client,
    start: Start,
    presence: bool,
    token: Result<(Caller, Option<Ticket>), Refusal>,
}

impl StreamRequest {
    pub async fn new(app: &App, client: Client, headers: &HeaderMap, query: StreamQuery<'_>) -> Self {
        Self {
            client,
            start: Start::of(headers, &query),
            presence: query.presence,
            token: authenticate(app, headers, query.ticket).await,
        }
    }

    /// Opens a stream of these projects, or answers with the reason for the refusal. `projects` is called when the
    /// caller is authenticated. `me`: also carry the channel `me`, and open the stream even if no project is left.
    pub async fn open(
        self,
        app: &App,
        projects: impl FnOnce() -> Result<Vec<Uuid>, ReadError>,
        me: bool,
    ) -> Result<Response, ReadError> {
        let Self { client, start, presence, token } = self;
        let ticket = token.as_ref().ok().and_then(|(caller, ticket)| Some((caller.user_id.0, (*ticket)?.id)));
        let user = token.as_ref().ok().map(|(caller, _)| caller.user_id);
        let opened = match token {
            Ok((caller, ticket)) => open(app, (caller, ticket), start, projects, (me, presence)).await,
            Err(refusal) => Err(refusal),
        };
        match opened {
            Ok(stream) => {
                if let Some((user, ticket)) = ticket {
                    audit::done(Action::TicketUse, &client, user, ticket);
                }
                let mut response = event_stream(Body::from_stream(stream.clone().body()));
                response.extensions_mut().insert(stream);
                Ok(response)
            }
            Err(refusal) => {
                if let Some(reason) = refusal.of_token() {
                    audit::refused(Action::Authenticate, &client, None, reason);
                }
                refusal.record(user, start);
                refusal.into_response(app, start)
            }
        }
    }
}

async fn open(
    app: &App,
    (caller, ticket): (Caller, Option<Ticket>),
    start: Start,
    projects: impl FnOnce() -> Result<Vec<Uuid>, ReadError>,
    (me, presence): (bool, bool),
) -> Result<Takeover, Refusal> {
    if me && caller.scope.project.is_some() {
        let detail = "A token for one project may not use the channel `me`";
        return Err(Problem::new(Code::Forbidden, detail).into());
    }
    let projects = projects()?;
    let slot = match app.hub.quotas().take(caller.user_id.0) {
        Ok(slot) => slot,
        Err(exceeded) => {
            if let QuotaExceeded::TooFast { wait } = exceeded {
                // A client in a tight loop tries again as soon as it gets the response.
                app.shutdown.run_until_cancelled(tokio::time::sleep(wait)).await;
            }
            return Err(Refusal::Quota(exceeded));
        }
    };
    if !app.hub.has_started(START_LIMIT).await {
        return Err(Refusal::NotStarted);
    }
    let in_scope: Vec<Uuid> = projects.iter().copied().filter(|project| is_in_scope(&caller, *project)).collect();
    let known = pending::memberships(app, caller.user_id.0, &in_scope).await.map_err(Refusal::Memberships)?;
    let start = start.resume(app)?;
    let is_ahead = start.is_beyond(known.head);
    let Permissions { carried, revoked, recently } =
        permissions(app, &caller, &projects, &known, (start, is_ahead)).await?;
    if carried.is_empty() && !me {
        return Err(if recently { Refusal::AccessRevoked(revoked) } else { Refusal::NotFound });
    }
    if is_ahead {
        return Err(Refusal::CursorAhead { head: known.head });
    }
    if let Some(ticket) = ticket
        && !ticket::redeem(app.hub.pool(), ticket).await.map_err(ReadError::from)?
    {
        return Err(Refusal::TicketUsed);
    }
    let options = SubscriberOptions {
        user: caller.user_id,
        expires_at: caller.expires_at,
        revoked_token: token_revocation(app, caller.user_id, caller.means),
        api_token: caller.authority().api_token,
        from: start.cursor().map(|cursor| served_from(cursor, &carried, me)),
        projects: carried,
        revoked,
        me,
        slot,
        presence,
    };
    Ok(Takeover::new(Subscriber::new(app.hub.clone(), options, app.shutdown.clone())))
}

/// Permissions for the requested projects.
struct Permissions {
    carried: Vec<ProjectPermission>,
    /// Projects that the user may not see, and is sent nothing of.
    revoked: Vec<Uuid>,
    /// The user lost access to one of these a short time ago.
    recently: bool,
}

/// Determines the permissions for the requested projects. A client that reconnects after its user was removed gets the
/// event that ended the access, whatever its cursor is; without anything else to carry, the project is not found when
/// the removal is no longer recent.
async fn permissions(
    app: &App,
    caller: &Caller,
    projects: &[Uuid],
    known: &Memberships,
    (start, is_ahead): (Start, bool),
) -> Result<Permissions, Refusal> {
    let visible = known.visible.iter().map(|project| ProjectPermission::of_member(*project, known.checkpoint));
    let mut permissions = Permissions { carried: visible.collect(), revoked: Vec::new(), recently: false };
    for project in projects.iter().filter(|project| !known.sees(project)) {
        if !start.is_reconnect() {
            return Err(Refusal::NotFound);
        }
        let removal = match is_in_scope(caller, *project) {
            true => recently_revoked_at(app.hub.pool(), *project, caller.user_id.0).await.map_err(ReadError::from)?,
            false => None,
        };
        permissions.recently |= removal.is_some();
        let is_before = |removal| start.cursor().is_some_and(|cursor| cursor < Cursor::after(removal));
        match removal.filter(|removal| !is_ahead && is_before(*removal)) {
            Some(removal) => permissions.carried.push(ProjectPermission::of_removal(*project, removal)),
            None => permissions.revoked.push(*project),
        }
    }
    Ok(permissions)
}

/// Cursor from which the stream is served. One that carries nothing but removals begins with the first of them: the
/// history before it is neither sent nor read.
fn served_from(cursor: Cursor, carried: &[ProjectPermission], me: bool) -> Cursor {
    let first = carried.iter().map(|permission| permission.start(cursor)).min();
    first.filter(|_| !me).unwrap_or(cursor)
}

fn is_in_scope(caller: &Caller, project: Uuid) -> bool {
    caller.scope.reaches(ProjectId(project))
}

/// Verifies the token in the header, or the ticket of a client that cannot send headers.
async fn authenticate(
    app: &App,
    headers: &HeaderMap,
    ticket: Option<&str>,
) -> Result<(Caller, Option<Ticket>), Refusal> {
    match (bearer(headers)?, ticket) {
        (Some(token), _) => app.verifier.verify(token).await.map(|caller| (caller, None)).map_err(Refusal::Token),
        (None, Some(ticket)) => {
            let verified = app.verifier.verify_ticket(ticket).await;
            verified.map(|(caller, ticket)| (caller, Some(ticket))).map_err(Refusal::Token)
        }
        (None, None) => {
            let detail = "Send `Authorization: Bearer <access token>`, or `?ticket=`";
            Err(Problem::new(Code::Unauthenticated, detail).into())
        }
    }
}
