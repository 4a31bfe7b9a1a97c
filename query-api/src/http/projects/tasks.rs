//! `GET /v1/projects/{project_id}/tasks`: the tasks of a project, filtered and sorted.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use taskfold_domain::ids::ProjectId;
use taskfold_domain::limits::QUERY_CHARS;
use taskfold_domain::task::Status;
use taskfold_domain::task::{DueStage, Priority};
use taskfold_web::Problem;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::tasks_sql::{Filters, TaskList};
use crate::http::app::App;
use crate::http::error::{ReadError, bad_cursor_or};
use crate::http::page::{ListName, Page, limit};
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;
use crate::http::values::{CommaSeparated, Position, Time};
use crate::http::view::{Present, Task};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// One or more of `todo`, `running`, `paused`, `completed`, `cancelled`, `failed`, separated by commas.
    #[param(value_type = Option<String>, example = "todo,running")]
    status: Option<CommaSeparated<Status>>,
    assignee_id: Option<Uuid>,
    /// True for tasks without assignees only, false for others only.
    unassigned: Option<bool>,
    label_id: Option<Uuid>,
    column_id: Option<Uuid>,
    /// The subtasks of this task.
    parent_id: Option<Uuid>,
    /// One or more of `none`, `low`, `medium`, `high`, `urgent`, separated by commas.
    #[param(value_type = Option<String>, example = "high,urgent")]
    priority: Option<CommaSeparated<Priority>>,
    /// True for blocked tasks only, false for others only.
    blocked: Option<bool>,
    /// True for tasks that the caller watches only, false for others only.
    watching: Option<bool>,
    /// `due_at` is near, or has passed.
    #[param(inline)]
    due_stage: Option<DueStage>,
    /// Tasks due before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    due_before: Option<Time>,
    /// Tasks due at this time or later.
    #[param(value_type = Option<String>, format = DateTime)]
    due_after: Option<Time>,
    /// Tasks updated at this time or later.
    #[param(value_type = Option<String>, format = DateTime)]
    updated_since: Option<Time>,
    /// Text in the title or the description, in any case; at most 200 characters.
    q: Option<String>,
    /// Lists deleted tasks, instead of the others.
    deleted: Option<bool>,
    /// Lists archived tasks, instead of the others.
    archived: Option<bool>,
    /// A leading `-` reverses the order.
    #[param(inline)]
    sort: Option<Sort>,
    /// Number of items, from 1 to 200; 50 by default.
    limit: Option<i64>,
    /// Valid with the same filters and the same order.
    cursor: Option<String>,
    /// Minimum position that the response must reflect.
    #[param(value_type = Option<u64>)]
    min_position: Option<Position>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    #[default]
    CreatedAt,
    UpdatedAt,
    DueAt,
    Priority,
    Title,
    /// The order of the board.
    Rank,
    #[serde(rename = "-created_at")]
    CreatedAtDown,
    #[serde(rename = "-updated_at")]
    UpdatedAtDown,
    #[serde(rename = "-due_at")]
    DueAtDown,
    #[serde(rename = "-priority")]
    PriorityDown,
    #[serde(rename = "-title")]
    TitleDown,
    #[serde(rename = "-rank")]
    RankDown,
}

/// The tasks of a project.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}/tasks", operation_id = "listTasks", tag = "projects",
    params(("project_id" = Uuid, Path, description = "the project"), Params, ReadHeaders),
    responses(
        (status = 200, description = "A page of tasks", body = Page<Task>),
        (status = 304, description = "Not modified"),
        ReadProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Path(project_id): Path<ProjectId>,
    Query(query): Query<Params>,
) -> Result<ReadResponse, ReadError> {
    let list = query.list_name(project_id).keyset(limit(query.limit)?, query.cursor.as_deref())?;
    let pattern = query.q.as_deref().map(pattern).transpose()?;
    let deleted = query.deleted.unwrap_or(false);
    let archived = query.archived.or((!deleted).then_some(false));

    let (snapshot, member) = request.project(&app, query.min_position, project_id).await?;
    let (labels, etag) = (member.labels(), request.project_etag(&member, &snapshot, ""));
    let mut snapshot = match ReadResponse::unchanged(&request, snapshot, &etag).await {
        Ok(not_modified) => return Ok(not_modified),
        Err(snapshot) => snapshot,
    };
    let assignee = query.assignee_id.as_slice();
    let present = Present::read(&mut snapshot, labels.clone(), [(project_id.0, assignee)].into_iter()).await?;
    let is_former = query.assignee_id.is_some_and(|user| present.is_former(project_id.0, user));
    if is_former || query.label_id.is_some_and(|label| !labels.contains(&label)) {
        // Tasks keep a removed label and a former member, which are not shown and match nothing.
        return ReadResponse::tagged_page(&request, snapshot, etag, &Page::<Task>::complete(Vec::new())).await;
    }
    let filters = Some(query.filters(pattern)).filter(|filters| *filters != Filters::default());
    let tasks = TaskList { project: project_id.0, deleted, archived, filters, keyset: &list };
    let rows = tasks.read(&mut snapshot.db, query.sort.unwrap_or_default()).await.map_err(bad_cursor_or)?;
    let key = |(task, sort_key): &(Task, String)| (sort_key.clone(), task.fields.id);
    let present = Present::read(&mut snapshot, labels, rows.iter().flat_map(|(task, _)| task.people())).await?;
    let page = list.page(rows, key, |(task, _)| task.shown_to(&member, &present));
    ReadResponse::tagged_page(&request, snapshot, etag, &page).await
}

impl Params {
    /// Filters besides `deleted` and `archived`. `text`: the pattern of `q`.
    fn filters(&self, text: Option<String>) -> Filters {
        let Self {
            status,
            assignee_id,
            unassigned,
            label_id,
            column_id,
            parent_id,
            priority,
            blocked,
            watching,
            due_stage,
            due_before,
            due_after,
            updated_since,
            q: _,
            deleted: _,
            archived: _,
            sort: _,
            limit: _,
            cursor: _,
            min_position: _,
        } = self;
        Filters {
            status: status.as_ref().map(|names| names.0.iter().map(|status| status.as_str()).collect()),
            assignee: *assignee_id,
            unassigned: *unassigned,
            label: *label_id,
            column: *column_id,
            parent: *parent_id,
            priority: priority.as_ref().map(|names| names.0.iter().copied().map(priority_name).collect()),
            blocked: *blocked,
            watching: *watching,
            due_stage: due_stage.map(due_stage_name),
            due_before: due_before.map(|time| time.0),
            due_after: due_after.map(|time| time.0),
            updated_since: updated_since.map(|time| time.0),
            text,
        }
    }

    fn list_name(&self, project: ProjectId) -> ListName {
        let of = (&self.status, self.assignee_id, self.label_id, self.column_id, &self.priority);
        let links = (self.parent_id, self.blocked, self.watching, self.unassigned, self.due_stage);
        let times = (self.due_before, self.due_after, self.updated_since);
        let rest = (&self.q, self.deleted, self.archived, self.sort.unwrap_or_default());
        ListName::new("tasks", project.0, &(of, links, times, rest))
    }
}

fn priority_name(priority: Priority) -> &'static str {
    match priority {
        Priority::None => "none",
        Priority::Low => "low",
        Priority::Medium => "medium",
        Priority::High => "high",
        Priority::Urgent => "urgent",
    }
}

fn due_stage_name(stage: DueStage) -> &'static str {
    match stage {
        DueStage::DueSoon => "due_soon",
        DueStage::Overdue => "overdue",
    }
}

/// Builds the ILIKE pattern, with all special characters escaped.
fn pattern(q: &str) -> Result<String, ReadError> {
    if q.is_empty() || q.chars().count() > QUERY_CHARS {
        return Err(Problem::invalid_field("/q", format!("must have 1 to {QUERY_CHARS} characters")).into());
    }
    let escaped = q.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    Ok(format!("%{escaped}%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_text_is_matched_literally() {
        assert_eq!(pattern("50%_\\").expect("short"), "%50\\%\\_\\\\%");
        assert!(pattern("").is_err());
        assert!(pattern(&"x".repeat(201)).is_err());
    }

    #[test]
    fn a_cursor_is_bound_to_the_filters_and_the_order() {
        let params = |query: &str| taskfold_web::read::parse_query::<Params>(query).expect("known parameters");
        let name = |query: &str| format!("{:?}", params(query).list_name(ProjectId(Uuid::nil())));
        assert_eq!(name("status=todo&limit=3"), name("status=todo&sort=created_at&cursor=x"));
        assert_ne!(name("status=todo"), name("status=paused"));
        assert_ne!(name("sort=-title"), name("sort=title"));
        assert!(taskfold_web::read::parse_query::<Params>("stauts=todo").is_err());
    }
}
