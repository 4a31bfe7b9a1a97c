//! `POST /v1/projects/{project_id}/tasks/bulk`: send one command to many tasks.

/// Replays of bulk commands.
mod replay;

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use taskfold_commands::{CommandError, Done, Envelope, fingerprint};
use taskfold_domain::ids::{ProjectId, TaskId};
use taskfold_domain::limits::{BULK_SECONDS, BULK_TASKS, REQUEST_SECONDS};
use taskfold_domain::task::Filter;
use taskfold_domain::{Refusal, TaskCommand};
use taskfold_web::headers::{IDEMPOTENCY_REPLAYED, POSITION};
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};
use taskfold_web::{Problem, deadline};
use utoipa::ToSchema;
use uuid::Uuid;

use self::replay::{EarlierRequest, KeyedRequest};
use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;

/// Limit of the time for all of them.
const TIME_LIMIT: Duration = Duration::from_secs(BULK_SECONDS - REQUEST_SECONDS);
/// Number of concurrent commands. They are committed in batches.
const CONCURRENT_COMMANDS: usize = 64;

/// A command for many tasks of a project: for the given ones, or for those that match a filter when the request first
/// arrives.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Bulk {
    /// The command, with its name as `type`: `{"type": "task.assign", "data": {"user_id": "..."}}`.
    #[schema(value_type = Object, example = json!({"type": "task.edit", "data": {"priority": "high"}}))]
    command: TaskCommand,
    /// At most 500. Either this or `filter`.
    task_ids: Option<Vec<TaskId>>,
    filter: Option<Filter>,
    /// Only counts the tasks, and changes nothing.
    #[serde(default)]
    preview: bool,
}

/// The result of a bulk command.
#[derive(Serialize, ToSchema)]
pub struct BulkReply {
    /// Number of tasks that the command is for.
    matched: usize,
    /// Result for each task; empty for a preview.
    results: Vec<BulkResult>,
}

/// The result for one task.
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
    /// Also if the command changed nothing.
    Applied,
    /// The task was edited after the version in `If-Match`.
    Conflict,
    Rejected,
}

/// Send one command to many tasks. Each is decided on its own: a refusal does not affect the others. With `preview`,
/// only the matching tasks are counted. Commands that put tasks into another place are applied in the order of `task_ids`,
/// or in the order of the board for a filter, so that the tasks stand in that order. The same `Idempotency-Key` again is for the tasks that matched the first time,
/// repeats nothing, and has the first response, with `Idempotency-Replayed: true`.
#[utoipa::path(
    post, path = "/v1/projects/{project_id}/tasks/bulk", operation_id = "bulkTasks", tag = "tasks",
    params(("project_id" = Uuid, Path, description = "the project"), CommandHeaders),
    request_body = Bulk,
    responses(
        (status = 200, description = "The result for each task", body = BulkReply,
         headers(("Taskfold-Position" = u64, description = "position of the last change; none if there is none"),
                 ("Idempotency-Replayed" = String, description = "`true` for the response to an earlier request"))),
        CommandProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path(project_id): Path<ProjectId>,
    Body(body): Body<Bulk>,
) -> Result<Response, ApiError> {
    let envelope = request.envelope();
    must_reach(&app, &envelope, project_id, &body.command).await?;
    if matches!(body.command, TaskCommand::Create(_)) {
        return Err(Problem::invalid_field("/command/type", "must be a command for an existing task").into());
    }
    let keyed = KeyedRequest { pool: &app.pool, envelope: &envelope, fingerprint: fingerprint(project_id.0, &body) };
    let can_be_replayed = envelope.may_be_replayed && !body.preview;
    let tasks = match if can_be_replayed { keyed.find_earlier().await? } else { None } {
        Some(EarlierRequest { response: Some(response), .. }) => return replayed(response),
        Some(EarlierRequest { tasks, .. }) => tasks,
        None => {
            let tasks = selected_tasks(&app, project_id, &body).await?;
            if body.preview {
                return Ok(Json(BulkReply { matched: tasks.len(), results: Vec::new() }).into_response());
            }
            if can_be_replayed {
                app.engine.take_key(project_id, &envelope, &keyed.fingerprint).await?;
                // Two requests at the same time are for the same tasks: those of the first one.
                keyed.store_tasks(&tasks).await?
            } else {
                tasks
            }
        }
    };
    let matched = tasks.len();
    deadline::allow(TIME_LIMIT);
    let results = if body.command.places() {
        send_in_order(&app, tasks, &body.command, &envelope).await
    } else {
        let (app, command, envelope) = (&app, &body.command, &envelope);
        futures::stream::iter(tasks)
            .map(|task| async move { send(app, task, command.clone(), envelope.clone()).await })
            .buffered(CONCURRENT_COMMANDS)
            .collect()
            .await
    };
    let incomplete = results.iter().any(BulkResult::is_temporary);
    let reply = BulkReply { matched, results };
    let response = serde_json::value::to_raw_value(&reply).map_err(|error| Problem::internal(&error))?;
    // A response with temporary failures is not stored, so that a repeated request sends those commands again.
    if can_be_replayed
        && !incomplete
        && let Some(first) = keyed.store_response(&response).await?
    {
        return replayed(first);
    }
    Ok((position_of(&response)?, Json(response)).into_response())
}

/// Sends a command that places tasks to one after the other, so that they stand in the order of the request. Moves
/// beside another task go behind the task before.
async fn send_in_order(app: &App, tasks: Vec<TaskId>, command: &TaskCommand, envelope: &Envelope) -> Vec<BulkResult> {
    let beside_another = matches!(command, TaskCommand::Move(to) if to.names_neighbour());
    let (mut results, mut behind) = (Vec::with_capacity(tasks.len()), None);
    for task in tasks {
        let result = send(app, task, command.clone(), Envelope { behind, ..envelope.clone() }).await;
        if beside_another && matches!(result.outcome, Outcome::Applied) {
            behind = Some(task);
        }
        results.push(result);
    }
    results
}

/// The tasks that the command is for.
async fn selected_tasks(app: &App, project: ProjectId, body: &Bulk) -> Result<Vec<TaskId>, ApiError> {
    let tasks = match (&body.task_ids, &body.filter) {
        (Some(ids), None) => app.engine.of_project(project, ids).await?,
        (None, Some(filter)) => app.engine.matching(project, filter).await?,
        (Some(_), Some(_)) | (None, None) => {
            return Err(Problem::invalid_field("", "must have either `task_ids` or `filter`").into());
        }
    };
    let matched = tasks.len();
    if matched > BULK_TASKS && !body.preview {
        return Err(Problem::invalid_field(
            "",
            format!("matches {matched} tasks, but at most {BULK_TASKS} can be changed at once"),
        )
        .with("matched", matched)
        .into());
    }
    Ok(tasks)
}

fn replayed(response: Box<RawValue>) -> Result<Response, ApiError> {
    let header = (HeaderName::from_static(IDEMPOTENCY_REPLAYED), HeaderValue::from_static("true"));
    Ok(([header], position_of(&response)?, Json(response)).into_response())
}

/// The highest position in a reply, as a header.
fn position_of(reply: &RawValue) -> Result<Option<[(HeaderName, HeaderValue); 1]>, ApiError> {
    #[derive(Deserialize)]
    struct Reply {
        results: Vec<Applied>,
    }
    #[derive(Deserialize)]
    struct Applied {
        position: Option<i64>,
    }
    let reply: Reply = serde_json::from_str(reply.get()).map_err(|error| Problem::internal(&error))?;
    let position = reply.results.iter().filter_map(|result| result.position).max();
    Ok(position.map(|position| [(HeaderName::from_static(POSITION), HeaderValue::from(position))]))
}

/// Checks the role once for all tasks, so that others do not learn how many tasks there are.
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
    /// True if another attempt may have another result.
    fn is_temporary(&self) -> bool {
        self.problem.as_ref().is_some_and(|problem| problem.code().status().is_server_error())
    }
}

async fn send(app: &App, task: TaskId, command: TaskCommand, envelope: Envelope) -> BulkResult {
    // Each task has its own command id, which is the same when the request is repeated.
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
        // Perhaps by an earlier request with the same key, which was not completed.
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
