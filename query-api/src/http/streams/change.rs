use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use taskfold_domain::Timestamp;
use taskfold_domain::ids::ProjectId;
use taskfold_live::{Channels, MOST_PROJECTS};
use taskfold_web::problem::OwnProblems;
use taskfold_web::read::{Body, Path};
use taskfold_web::{Caller, Code, Problem};
use utoipa::ToSchema;
use uuid::Uuid;

use super::elsewhere;
use super::here::{Refused, Wanted};
use crate::http::app::App;
use crate::http::error::ReadError;

/// What is left out stays as it is; with nothing at all, only the stream's life grows.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeStream {
    /// These, and no others; at most 100.
    projects: Option<Vec<Uuid>>,
    /// These too.
    add: Option<Vec<Uuid>>,
    /// These no more; one that the stream does not carry is none of these.
    remove: Option<Vec<Uuid>>,
    /// Whether also what is for the caller.
    me: Option<bool>,
}

/// What the stream carries from here on.
#[derive(Serialize, ToSchema)]
pub struct StreamChannels {
    stream_id: Uuid,
    projects: Vec<Uuid>,
    me: bool,
    /// Of projects that are new here, events come from behind this position on: read their board now, with this as
    /// `Taskfold-Min-Position`, and leave out what it has already.
    #[schema(example = 1042)]
    position: i64,
    /// When the stream ends unless it is renewed again; null when its token does not end.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// Change what an open stream carries, without opening it anew: from one board to another, say. `stream_id` is told by its
/// `hello`. It does not matter which instance is asked. The stream lives on as long as the token that this is sent with, so
/// an empty body renews it when `reauth` says that its token ends soon.
#[utoipa::path(
    patch, path = "/v1/streams/{stream_id}", operation_id = "changeStream", tag = "feed",
    params(("stream_id" = Uuid, Path, description = "the stream, one of the caller's")),
    request_body = ChangeStream,
    responses((status = 200, description = "What it carries now", body = StreamChannels), OwnProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    caller: Caller,
    Path(stream_id): Path<Uuid>,
    Body(body): Body<ChangeStream>,
) -> Result<Json<StreamChannels>, ReadError> {
    let wanted = wanted(&caller, stream_id, body)?;
    let channels = elsewhere::change(&app, wanted).await.map_err(problem)?;
    Ok(Json(shown(stream_id, channels)))
}

fn wanted(caller: &Caller, stream_id: Uuid, body: ChangeStream) -> Result<Wanted, Problem> {
    if body.projects.is_some() && (body.add.is_some() || body.remove.is_some()) {
        return Err(Problem::invalid_field("/projects", "says all, and goes with neither `add` nor `remove`"));
    }
    if body.me == Some(true) && caller.scope.project.is_some() {
        let detail = "A token for one project does not hear what its maker is told of others";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    let only_these = body.projects.is_some();
    let add = body.projects.or(body.add).unwrap_or_default();
    let remove = body.remove.unwrap_or_default();
    for (pointer, list) in [(if only_these { "/projects" } else { "/add" }, &add), ("/remove", &remove)] {
        if list.len() > MOST_PROJECTS {
            return Err(Problem::invalid_field(pointer, format!("at most {MOST_PROJECTS}")));
        }
    }
    for project in &add {
        caller.must_reach(ProjectId(*project))?;
    }
    let (user_id, me, means, expires_at) = (caller.user_id.0, body.me, caller.means, caller.expires_at);
    Ok(Wanted { stream_id, user_id, add, only_these, remove, me, means, expires_at })
}

fn problem(refused: Refused) -> Problem {
    match refused {
        Refused::NotFound => Problem::not_found(),
        Refused::TooMany => Problem::invalid_field("/projects", format!("a stream carries at most {MOST_PROJECTS}")),
        Refused::NothingLeft => Problem::invalid_field("/projects", "nothing is left: close the stream instead"),
        Refused::Behind => {
            Problem::new(Code::ReadModelBehind, "The read model does not have the project yet").retry_after(1)
        }
        Refused::Unavailable => Problem::unavailable("The stream"),
    }
}

fn shown(stream_id: Uuid, Channels { projects, me, position, expires_at }: Channels) -> StreamChannels {
    let expires_at = chrono::DateTime::from_timestamp(expires_at, 0).map(Into::into);
    StreamChannels { stream_id, projects, me, position, expires_at }
}
