//! `POST /v1/stream-tickets`: create a ticket for `EventSource`, which cannot send headers.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use taskfold_domain::limits::TICKET_SECONDS;
use taskfold_web::Problem;
use taskfold_web::audit::{self, Action};
use taskfold_web::auth::{Means, ReadOnlyCaller};
use taskfold_web::client::Client;
use taskfold_web::problem::AccountProblems;
use utoipa::ToSchema;

use crate::http::app::App;
use crate::http::authority;
use crate::http::error::ApiError;

#[derive(Serialize, ToSchema)]
pub struct Ticket {
    ticket: String,
    /// Lifetime in seconds.
    #[schema(example = 60)]
    expires_in: i64,
}

/// Create a ticket for `EventSource`, which cannot send headers: `?ticket=` in the URL of a stream. It opens one stream
/// within a minute. A browser that reconnects with it receives `reauth`, and opens a new stream with a new ticket, from
/// the id of its last event on. The ticket, and the streams that it opens, end with the session, the API token or the
/// external token with which it was created. An API token needs `delegates` for it.
#[utoipa::path(
    post, path = "/v1/stream-tickets", operation_id = "createStreamTicket", tag = "accounts",
    responses((status = 201, description = "Created", body = Ticket), AccountProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    client: Client,
    ReadOnlyCaller(caller): ReadOnlyCaller,
) -> Result<(StatusCode, Json<Ticket>), ApiError> {
    authority::begin(&app, &caller).await?;
    let ticket = app.signer.ticket(&caller).map_err(|e| Problem::internal(&e))?;
    audit::done(Action::TicketCreate, &client, caller.user_id.0, caller.user_id.0);
    let left = caller.expires_at.saturating_sub(app.clock.unix_seconds());
    let expires_in = match caller.means {
        Means::Session(_) => TICKET_SECONDS,
        Means::ApiToken(_) | Means::Outside => TICKET_SECONDS.min(left),
    };
    Ok((StatusCode::CREATED, Json(Ticket { ticket, expires_in })))
}
