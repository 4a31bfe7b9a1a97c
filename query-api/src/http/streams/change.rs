//! `PATCH /v1/streams/{stream_id}`: changes what an open stream carries, and renews it.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use taskfold_domain::Timestamp;
use taskfold_domain::ids::ProjectId;
use taskfold_domain::limits::PROJECTS_PER_STREAM;
use taskfold_live::CarriedChannels;
use taskfold_web::auth::ReadOnlyCaller;
use taskfold_web::problem::OwnProblems;
use taskfold_web::read::{Body, Path};
use taskfold_web::{Caller, Code, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::local::{ChangeRefusal, StreamChangeMessage};
use super::remote;
use crate::http::app::App;
use crate::http::error::ReadError;

/// Absent fields leave the stream as it is. An empty object only renews it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeStream {
    /// The projects to carry, instead of all others; at most 100.
    projects: Option<Vec<Uuid>>,
    /// Projects to add.
    add: Option<Vec<Uuid>>,
    /// Projects to remove. A project that the stream does not carry is ignored.
    remove: Option<Vec<Uuid>>,
    /// Carries the channel `me`.
    me: Option<bool>,
}

/// The channels that the stream carries after the change.
#[derive(Serialize, ToSchema)]
pub struct StreamChannels {
    stream_id: Uuid,
    projects: Vec<Uuid>,
    me: bool,
    /// The events of added projects follow after this position. Read their boards now, with this as
    /// `Taskfold-Min-Position`, and ignore events that a board already reflects.
    #[schema(example = 1042)]
    position: i64,
    /// Time at which the stream ends unless it is renewed again; null if its token does not expire.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// Change what an open stream carries without opening another, for example when the user switches boards. The
/// `stream_id` is in its `hello`. Any instance accepts the request. The stream then stays open for as long as the token
/// of this request is valid: an empty body renews it when `reauth` announces that its token expires soon.
#[utoipa::path(
    patch, path = "/v1/streams/{stream_id}", operation_id = "changeStream", tag = "feed",
    params(("stream_id" = Uuid, Path, description = "the stream, one that the caller opened with a session, or with this API token")),
    request_body = ChangeStream,
    responses((status = 200, description = "The channels that it carries now", body = StreamChannels), OwnProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    ReadOnlyCaller(caller): ReadOnlyCaller,
    Path(stream_id): Path<Uuid>,
    Body(body): Body<ChangeStream>,
) -> Result<Json<StreamChannels>, ReadError> {
    let message = validated(&caller, stream_id, body)?;
    let CarriedChannels { projects, me, position, expires_at } =
        remote::change(&app, message).await.map_err(problem)?;
    let expires_at = chrono::DateTime::from_timestamp(expires_at, 0).map(Into::into);
    Ok(Json(StreamChannels { stream_id, projects, me, position, expires_at }))
}

fn validated(caller: &Caller, stream_id: Uuid, body: ChangeStream) -> Result<StreamChangeMessage, Problem> {
    if body.projects.is_some() && (body.add.is_some() || body.remove.is_some()) {
        return Err(Problem::invalid_field("/projects", "cannot be combined with `add` or `remove`"));
    }
    if body.me == Some(true) && caller.scope.project.is_some() {
        let detail = "A token for one project may not use the channel `me`";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    let only_these = body.projects.is_some();
    let add = body.projects.or(body.add).unwrap_or_default();
    let remove = body.remove.unwrap_or_default();
    for (pointer, list) in [(if only_these { "/projects" } else { "/add" }, &add), ("/remove", &remove)] {
        if list.len() > PROJECTS_PER_STREAM {
            let detail = format!("must have at most {PROJECTS_PER_STREAM} projects");
            return Err(Problem::invalid_field(pointer, detail));
        }
    }
    for project in &add {
        caller.must_reach(ProjectId(*project))?;
    }
    let (user_id, me, means, expires_at) = (caller.user_id.0, body.me, caller.means, caller.expires_at);
    Ok(StreamChangeMessage { stream_id, user_id, add, only_these, remove, me, means, expires_at })
}

fn problem(refusal: ChangeRefusal) -> Problem {
    match refusal {
        ChangeRefusal::NotFound => Problem::not_found(),
        ChangeRefusal::TooManyProjects => {
            let detail = format!("a stream carries at most {PROJECTS_PER_STREAM} projects");
            Problem::invalid_field("/projects", detail)
        }
        ChangeRefusal::NothingLeft => {
            Problem::invalid_field("/projects", "the stream would carry nothing; close it instead")
        }
        ChangeRefusal::Behind => {
            Problem::new(Code::ReadModelBehind, "The read model does not have the project yet").retry_after(1)
        }
        ChangeRefusal::Unavailable => Problem::unavailable("The stream"),
    }
}
