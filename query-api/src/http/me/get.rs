//! `GET /v1/me`: the caller's account.

use axum::extract::State;
use serde::Serialize;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::Query;
use taskfold_web::{Code, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::read_request::{MinPosition, ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;

/// The caller's account.
#[derive(Serialize, ToSchema)]
pub struct Me {
    user_id: Uuid,
    #[schema(example = "ada-lark")]
    username: String,
    display_name: String,
}

/// The caller's account.
#[utoipa::path(
    get, path = "/v1/me", operation_id = "getMe", tag = "me",
    params(MinPosition, ReadHeaders),
    responses((status = 200, description = "The account", body = Me), (status = 304, description = "Not modified"), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Query(query): Query<MinPosition>,
) -> Result<ReadResponse, ReadError> {
    let mut snapshot = request.snapshot(&app, query.min_position).await?;
    let me = sqlx::query_as!(
        Me,
        r#"
        SELECT user_id, username AS "username!", display_name AS "display_name!"
        FROM accounts WHERE user_id = $1 AND username IS NOT NULL
        "#,
        request.caller.user_id.0,
    )
    .fetch_optional(&mut *snapshot.db)
    .await?;
    let me = me.ok_or_else(|| Problem::new(Code::Unauthenticated, "The account does not exist any more"))?;
    ReadResponse::new(&request, snapshot, &me).await
}
