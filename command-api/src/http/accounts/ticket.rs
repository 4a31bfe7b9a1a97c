use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use taskfold_event_log::clock;
use taskfold_web::auth::{Means, TICKET_SECONDS};
use taskfold_web::problem::AccountProblems;
use taskfold_web::{Caller, Problem};
use utoipa::ToSchema;

use crate::http::app::App;
use crate::http::error::ApiError;

#[derive(Serialize, ToSchema)]
pub struct Ticket {
    ticket: String,
    /// In seconds.
    #[schema(example = 60)]
    expires_in: i64,
}

/// A ticket for `EventSource`, which cannot send headers: `?ticket=` in a stream's URL. It opens one stream, within a minute;
/// a browser that comes back with it is told `reauth`, and opens a new one with a new ticket, from its last event's id on. It, and the
/// streams it opens, end with the API token or outside token that it was bought with.
#[utoipa::path(
    post, path = "/v1/stream-tickets", operation_id = "createStreamTicket", tag = "accounts",
    responses((status = 201, description = "Made", body = Ticket), AccountProblems),
    security(("bearer" = []))
)]
pub async fn handler(State(app): State<App>, caller: Caller) -> Result<(StatusCode, Json<Ticket>), ApiError> {
    let ticket = app.signer.ticket(&caller).map_err(|e| Problem::internal(&e))?;
    let left = caller.expires_at.saturating_sub(clock::now().utc().timestamp());
    let expires_in = match caller.means {
        Means::Session(_) => TICKET_SECONDS,
        Means::ApiToken(_) | Means::Outside => TICKET_SECONDS.min(left),
    };
    Ok((StatusCode::CREATED, Json(Ticket { ticket, expires_in })))
}
