use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use taskfold_openapi::auth::{Purpose, TICKET_SECONDS};
use taskfold_openapi::problem::AccountProblems;
use taskfold_openapi::{Caller, Problem};
use utoipa::ToSchema;

use crate::http::app::App;

#[derive(Serialize, ToSchema)]
pub struct Ticket {
    ticket: String,
    /// In seconds.
    #[schema(example = 60)]
    expires_in: i64,
}

/// A ticket for `EventSource`, which cannot send headers: `?ticket=` in a stream's URL.
#[utoipa::path(
    post, path = "/v1/stream-tickets", operation_id = "createStreamTicket", tag = "accounts",
    responses((status = 201, description = "Made", body = Ticket), AccountProblems),
    security(("bearer" = []))
)]
pub async fn handler(State(app): State<App>, caller: Caller) -> Result<(StatusCode, Json<Ticket>), Problem> {
    let ticket =
        app.signer.sign(Purpose::Streams, caller.user_id, caller.session_id).map_err(|e| Problem::internal(&e))?;
    Ok((StatusCode::CREATED, Json(Ticket { ticket, expires_in: TICKET_SECONDS })))
}
