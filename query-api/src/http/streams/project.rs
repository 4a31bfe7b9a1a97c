//! `GET /v1/projects/{project_id}/events/stream`: the stream of one project.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use taskfold_domain::ids::ProjectId;
use taskfold_web::client::Client;
use taskfold_web::problem::StreamProblems;
use taskfold_web::read::{Path, Query};

use super::request::{StreamHeaders, StreamRequest, stream_params};
use crate::http::app::App;
use crate::http::error::ReadError;

stream_params! {}

/// The Changes of a project as they happen: `id:` is the position, `event:` the type, `data:` the Change. The first
/// frame is `hello`. A `heartbeat` every 15 seconds advances the cursor of a quiet stream. `reset`, `reauth`, `revoked`
/// and `drain` tell why a stream ends. After `lagging`, it continues from the log without a gap. `presence.joined`,
/// `presence.focused` and `presence.left` tell who has the project open, without an `id:`. A stream that is busy with
/// events skips them, and sends `presence.stale` afterwards: read `listPresence` again.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}/events/stream", operation_id = "streamProject", tag = "feed",
    params(("project_id" = Uuid, Path, description = "the project"), Params, StreamHeaders),
    responses((status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream"), StreamProblems),
    security(("bearer" = []), ())
)]
pub async fn handler(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Path(project_id): Path<ProjectId>,
    Query(query): Query<Params>,
) -> Result<Response, ReadError> {
    let request = StreamRequest::new(&app, client, &headers, query.stream_query()).await;
    request.open(&app, || Ok(vec![project_id.0]), false).await
}
