//! `PATCH /v1/me`: change the caller's name.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use taskfold_domain::input::Name;
use taskfold_web::audit::{self, Action};
use taskfold_web::client::Client;
use taskfold_web::problem::TokenProblems;
use taskfold_web::read::Body;
use taskfold_web::{Caller, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::tokens::unavailable;
use crate::http::app::App;
use crate::http::error::ApiError;

/// Absent fields stay as they are.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditAccount {
    #[schema(example = "Ada Lark")]
    display_name: Option<Name>,
}

#[derive(Serialize, ToSchema)]
pub struct EditedAccount {
    user_id: Uuid,
    username: Option<String>,
    display_name: Option<String>,
}

/// Change the caller's name. It is part of no event: reads show the new name at once, also beside what was done earlier.
#[utoipa::path(
    patch, path = "/v1/me", operation_id = "editMe", tag = "accounts",
    request_body = EditAccount,
    responses((status = 200, description = "The account", body = EditedAccount), TokenProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    client: Client,
    caller: Caller,
    Body(body): Body<EditAccount>,
) -> Result<Json<EditedAccount>, ApiError> {
    caller.must_be_person()?;
    let edited = sqlx::query_as!(
        EditedAccount,
        r#"
        UPDATE accounts SET display_name = coalesce($2, display_name)
        WHERE user_id = $1 AND disabled_at IS NULL
        RETURNING user_id, username, display_name
        "#,
        caller.user_id.0,
        body.display_name.as_ref().map(Name::as_str),
    )
    .fetch_optional(&app.pool)
    .await
    .map_err(unavailable)?;
    let edited = edited.ok_or_else(|| Problem::from(taskfold_event_log::LapsedAuthority::AccountDisabled))?;
    audit::done(Action::ProfileChange, &client, caller.user_id.0, caller.user_id.0);
    Ok(Json(edited))
}
