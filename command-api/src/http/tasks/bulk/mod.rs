/// What an earlier request with the same key came to.
mod kept;

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use taskfold_domain::ids::{ProjectId, TaskId};
use taskfold_domain::task::Filter;
use taskfold_domain::{Refusal, TaskCommand};
use taskfold_web::headers::IDEMPOTENCY_REPLAYED;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};
use taskfold_web::{Problem, deadline};
use utoipa::ToSchema;
use uuid::Uuid;

use self::kept::{Found, Kept};
use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::sent::{CommandHeaders, Sent};
use taskfold_commands::{CommandError, Done, Envelope, fingerprint};

/// Tasks that one request changes at most.
const MOST: usize = 500;
/// For all of them.
const TIME: Duration = Duration::from_secs(25);
/// Commands under way at once: they are committed together.
const AT_ONCE: usize = 64;

/// One command for many tasks of a project: those named, or those that a filter matches when the request first arrives.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Bulk {
    /// As in the offline queue: `{"type": "task.assign", "data": {"user_id": "..."}}`.
    #[schema(value_type = Object, example = json!({"type": "task.edit", "data": {"priority": "high"}}))]
    command: TaskCommand,
    /// At most 500. Either these or `filter`.
    task_ids: Option<Vec<TaskId>>,
    filter: Option<Filter>,
    /// Only count: nothing is changed.
    #[serde(default)]
    preview: bool,
}

#[derive(Serialize, ToSchema)]
pub struct BulkReply {
    /// How many tasks the command is for.
    matched: usize,
    /// What became of it for each; empty for a preview.
    results: Vec<BulkResult>,
}

#[derive(Serialize, ToSchema)]
pub struct BulkResult {
    task_id: Uuid,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Also where everything was so already.
    Applied,
    /// Edited since the version in `If-Match`.
    Conflict,
    Rejected,
}

/// Send one command to many tasks. Each is decided for itself: one that is refused keeps no other from being applied. With
/// `preview`, only how many there are. The same `Idempotency-Key` again is for the tasks that were matched the first time, does
/// nothing twice, and answers as the first time with `Idempotency-Replayed: true`.
#[utoipa::path(
    post, path = "/v1/projects/{project_id}/tasks/bulk", operation_id = "bulkTasks", tag = "tasks",
    params(("project_id" = Uuid, Path, description = "the project"), CommandHeaders),
    request_body = Bulk,
    responses(
        (status = 200, description = "Done, or refused, one by one", body = BulkReply,
         headers(("Idempotency-Replayed" = String, description = "`true` when it was answered before"))),
        CommandProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    sent: Sent,
    Path(project_id): Path<ProjectId>,
    Body(body): Body<Bulk>,
) -> Result<Response, ApiError> {
    let envelope = sent.envelope();
    must_reach(&app, &envelope, project_id, &body.command).await?;
    if matches!(body.command, TaskCommand::Create(_)) {
        return Err(Problem::invalid_field("/command/type", "is for a task that is there").into());
    }
    let kept = Kept { pool: &app.pool, envelope: &envelope, fingerprint: fingerprint(project_id.0, &body) };
    let keeps = envelope.may_be_replayed && !body.preview;
    let tasks = match if keeps { kept.find().await? } else { None } {
        Some(Found { answer: Some(answer), .. }) => return Ok(replayed(answer)),
        Some(Found { tasks, .. }) => tasks,
        None => {
            let tasks = selected(&app, project_id, &body).await?;
            if body.preview {
                return Ok(Json(BulkReply { matched: tasks.len(), results: Vec::new() }).into_response());
            }
            if keeps {
                app.engine.take_key(project_id, &envelope, &kept.fingerprint).await?;
                // Two that come at once are for the same tasks: those of whichever was first.
                kept.select(&tasks).await?
            } else {
                tasks
            }
        }
    };
    let matched = tasks.len();
    deadline::allow(TIME);
    let (app, command, envelope) = (&app, &body.command, &envelope);
    let results: Vec<BulkResult> = futures::stream::iter(tasks)
        .map(|task| async move { one(app, task, command.clone(), envelope.clone()).await })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let passing = results.iter().any(BulkResult::is_passing);
    let reply = BulkReply { matched, results };
    if !keeps || passing {
        // What could not be decided now is decided when it is sent again.
        return Ok(Json(reply).into_response());
    }
    let answer = serde_json::value::to_raw_value(&reply).map_err(|error| Problem::internal(&error))?;
    match kept.answer(&answer).await? {
        Some(first) => Ok(replayed(first)),
        None => Ok(Json(answer).into_response()),
    }
}

/// The tasks that the command is for now.
async fn selected(app: &App, project: ProjectId, body: &Bulk) -> Result<Vec<TaskId>, ApiError> {
    let tasks = match (&body.task_ids, &body.filter) {
        (Some(ids), None) => app.engine.of_project(project, ids).await?,
        (None, Some(filter)) => app.engine.matching(project, filter).await?,
        _ => return Err(Problem::invalid_field("", "name the tasks by `task_ids` or by `filter`, not by both").into()),
    };
    let matched = tasks.len();
    if matched > MOST && !body.preview {
        return Err(Problem::invalid_field("", format!("{matched} tasks match, and {MOST} can be changed at once"))
            .with("matched", matched)
            .into());
    }
    Ok(tasks)
}

fn replayed(answer: Box<RawValue>) -> Response {
    let header = (HeaderName::from_static(IDEMPOTENCY_REPLAYED), HeaderValue::from_static("true"));
    ([header], Json(answer)).into_response()
}

/// Asked once for all: a stranger is not told how many tasks there are.
async fn must_reach(
    app: &App,
    envelope: &Envelope,
    project: ProjectId,
    command: &TaskCommand,
) -> Result<(), CommandError> {
    if envelope.only.is_some_and(|only| only != project) {
        return Err(Refusal::NotFound.into());
    }
    let role = app.engine.role_in(project, envelope.actor).await?.ok_or(Refusal::NotFound)?;
    let needs = command.needs();
    if role < needs { Err(Refusal::Forbidden { needs }.into()) } else { Ok(()) }
}

impl BulkResult {
    /// Whether it may come out otherwise when it is tried again.
    fn is_passing(&self) -> bool {
        self.problem.as_ref().is_some_and(|problem| problem.code().status().is_server_error())
    }
}

async fn one(app: &App, task: TaskId, command: TaskCommand, envelope: Envelope) -> BulkResult {
    // An id of its own for each, the same whenever the request is sent again.
    let command_id = Uuid::new_v5(&envelope.command_id, task.0.as_bytes());
    let done = app.engine.task(task, command, Envelope { command_id, ..envelope }).await;
    let failed = |outcome, problem| BulkResult {
        task_id: task.0,
        outcome,
        version: None,
        position: None,
        problem: Some(problem),
    };
    match done {
        // Also by an earlier request with this key, which did not come to its end.
        Ok(Done { version, position, .. }) => BulkResult {
            task_id: task.0,
            outcome: Outcome::Applied,
            version: Some(version),
            position: Some(position),
            problem: None,
        },
        Err(error @ CommandError::Conflict(_)) => failed(Outcome::Conflict, ApiError::from(error).into_problem()),
        Err(error) => failed(Outcome::Rejected, ApiError::from(error).into_problem()),
    }
}
