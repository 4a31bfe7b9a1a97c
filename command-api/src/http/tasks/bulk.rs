use std::time::Duration;

use axum::Json;
use axum::extract::State;
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use taskfold_domain::ids::{ProjectId, TaskId};
use taskfold_domain::task::Filter;
use taskfold_domain::{Refusal, TaskCommand};
use taskfold_openapi::problem::CommandProblems;
use taskfold_openapi::read::{Body, Path};
use taskfold_openapi::{Problem, deadline};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::engine::{CommandError, Done, Envelope};
use crate::http::app::App;
use crate::http::sent::{CommandHeaders, Sent};

/// Tasks that one request changes at most.
const MOST: usize = 500;
/// For all of them.
const TIME: Duration = Duration::from_secs(25);
/// Commands under way at once: they are committed together.
const AT_ONCE: usize = 64;

/// One command for many tasks of a project: those named, or those that a filter matches when the request arrives.
#[derive(Deserialize, ToSchema)]
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
    /// It was, by an earlier request with the same key.
    Duplicate,
    /// Edited since the version in `If-Match`.
    Conflict,
    Rejected,
}

/// Send one command to many tasks. Each is decided for itself: one that is refused keeps no other from being applied. With
/// `preview`, only how many there are. The same `Idempotency-Key` again does nothing twice, to whichever tasks were matched then.
#[utoipa::path(
    post, path = "/v1/projects/{project_id}/tasks/bulk", operation_id = "bulkTasks", tag = "tasks",
    params(("project_id" = Uuid, Path, description = "the project"), CommandHeaders),
    request_body = Bulk,
    responses((status = 200, description = "Done, or refused, one by one", body = BulkReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    sent: Sent,
    Path(project_id): Path<ProjectId>,
    Body(body): Body<Bulk>,
) -> Result<Json<BulkReply>, Problem> {
    let envelope = sent.envelope();
    must_reach(&app, &envelope, project_id, &body.command).await?;
    if matches!(body.command, TaskCommand::Create(_)) {
        return Err(Problem::invalid_field("/command/type", "is for a task that is there"));
    }
    let tasks = match (body.task_ids, body.filter) {
        (Some(ids), None) => app.engine.of_project(project_id, &ids).await?,
        (None, Some(filter)) => app.engine.matching(project_id, &filter).await?,
        _ => return Err(Problem::invalid_field("", "name the tasks by `task_ids` or by `filter`, not by both")),
    };
    let matched = tasks.len();
    if body.preview {
        return Ok(Json(BulkReply { matched, results: Vec::new() }));
    }
    if matched > MOST {
        return Err(Problem::invalid_field("", format!("{matched} tasks match, and {MOST} can be changed at once"))
            .with("matched", matched));
    }
    deadline::allow(TIME);
    let (app, command, envelope) = (&app, &body.command, &envelope);
    let results = futures::stream::iter(tasks)
        .map(|task| async move { one(app, task, command.clone(), envelope.clone()).await })
        .buffered(AT_ONCE)
        .collect()
        .await;
    Ok(Json(BulkReply { matched, results }))
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
        Ok(Done { version, position, replayed, .. }) => BulkResult {
            task_id: task.0,
            outcome: if replayed { Outcome::Duplicate } else { Outcome::Applied },
            version: Some(version),
            position: Some(position),
            problem: None,
        },
        Err(error @ CommandError::Conflict(_)) => failed(Outcome::Conflict, error.into()),
        Err(error) => failed(Outcome::Rejected, error.into()),
    }
}
