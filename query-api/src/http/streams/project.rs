use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use taskfold_domain::ids::ProjectId;
use taskfold_web::problem::StreamProblems;
use taskfold_web::read::{Path, Query};

use super::door::{Knock, StreamHeaders, stream_params};
use crate::http::app::App;
use crate::http::error::ReadError;

stream_params! {}

/// The Changes of a project as they happen: `id:` is the position, `event:` the type, `data:` the Change. Begins with
/// `hello`; a `heartbeat` every 15 seconds moves the cursor of a quiet stream. `reset`, `reauth`, `revoked` and `drain`
/// say why a stream ends; after `lagging` it goes on from the log, with nothing left out. `presence.joined`,
/// `presence.focused` and `presence.left` say who is there, without an `id:`: a stream with events to send goes without them,
/// and says `presence.stale` afterwards, for `listPresence` to be read again.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}/events/stream", operation_id = "streamProject", tag = "feed",
    params(("project_id" = Uuid, Path, description = "the project"), Params, StreamHeaders),
    responses((status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream"), StreamProblems),
    security(("bearer" = []), ())
)]
pub async fn handler(
    State(app): State<App>,
    headers: HeaderMap,
    Path(project_id): Path<ProjectId>,
    Query(query): Query<Params>,
) -> Result<Response, ReadError> {
    let knock = Knock::new(&app, &headers, query.wanted()).await;
    knock.answer(&app, || Ok(vec![project_id.0]), false).await
}
