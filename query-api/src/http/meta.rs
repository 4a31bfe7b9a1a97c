//! `GET /v1/meta`: limits, roles and what they permit, event types, and the id of the log.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use taskfold_domain::limits::{FIXED, Limit};
use taskfold_domain::task::{Standing, Status};
use taskfold_domain::team::{TeamCommand, TeamRole};
use taskfold_domain::{Event, Role, project, task};
use taskfold_web::headers::one;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::etag::digest;
use crate::http::read_response::unless_known;

/// Facts about this server that a client would otherwise have to copy.
#[derive(Serialize, ToSchema)]
pub struct Meta {
    /// Version of the server.
    version: &'static str,
    log: LogView,
    /// Limits by name, such as `title_chars`.
    limits: BTreeMap<String, LimitView>,
    /// Roles in a project, from the least to the most powerful.
    roles: Vec<RoleView>,
    /// Roles in a team.
    team_roles: Vec<TeamRoleView>,
    /// Types of all events, as in `type` of a Change.
    event_types: Vec<&'static str>,
}

#[derive(Serialize, ToSchema)]
struct LogView {
    /// Id of the log, as in the header `Taskfold-Log`. It changes when the log is adopted after a restore.
    id: Uuid,
    /// Number of adoptions.
    epoch: usize,
}

#[derive(Serialize, ToSchema)]
struct LimitView {
    value: u64,
    /// `characters`, `bytes`, `count`, `seconds` or `days`.
    unit: &'static str,
    description: &'static str,
}

/// Commands that a role permits, by the names in `allowed_commands`.
#[derive(Serialize, ToSchema)]
struct RoleView {
    role: Role,
    project: ByProjectState,
    /// Commands on a task, by its status.
    task: ByStatus,
    archived_task: ByStatus,
    deleted_task: ByStatus,
    /// Commands on the tasks of an archived project.
    task_of_archived_project: ByStatus,
}

type ByStatus = BTreeMap<&'static str, Vec<&'static str>>;

#[derive(Serialize, ToSchema)]
struct ByProjectState {
    active: Vec<&'static str>,
    archived: Vec<&'static str>,
}

#[derive(Serialize, ToSchema)]
struct TeamRoleView {
    role: TeamRole,
    commands: Vec<&'static str>,
}

impl From<Limit> for LimitView {
    fn from(limit: Limit) -> Self {
        Self { value: limit.value, unit: limit.unit.as_str(), description: limit.description() }
    }
}

impl RoleView {
    fn new(role: Role) -> Self {
        let active = Standing { status: Status::Todo, archived: false, deleted: false, project_archived: false };
        let by_status = |standing: Standing| -> ByStatus {
            let of = |status: Status| (status.as_str(), task::allowed(role, Standing { status, ..standing }));
            Status::ALL.into_iter().map(of).collect()
        };
        Self {
            role,
            project: ByProjectState { active: project::allowed(role, false), archived: project::allowed(role, true) },
            task: by_status(active),
            archived_task: by_status(Standing { archived: true, ..active }),
            deleted_task: by_status(Standing { deleted: true, ..active }),
            task_of_archived_project: by_status(Standing { project_archived: true, ..active }),
        }
    }
}

impl TeamRoleView {
    fn new(role: TeamRole) -> Self {
        let permitted = TeamCommand::TABLE.iter().filter(|(name, needs)| role >= *needs && *name != "team.create");
        Self { role, commands: permitted.filter_map(|(name, _)| name.strip_prefix("team.")).collect() }
    }
}

/// Limits, roles, event types, and the id of the log. Needs no authentication.
#[utoipa::path(
    get, path = "/v1/meta", operation_id = "getMeta", tag = "meta",
    responses(
        (status = 200, description = "Facts about this server", body = Meta),
        (status = 304, description = "Not modified")
    )
)]
pub async fn handler(State(app): State<App>, headers: HeaderMap) -> Result<Response, ReadError> {
    let body = serde_json::to_vec(&meta(&app))?;
    let etag = format!("\"{}\"", digest(&body));
    let response = match unless_known(one(&headers, "if-none-match")?, &etag, body) {
        Some(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
        None => StatusCode::NOT_MODIFIED.into_response(),
    };
    Ok(([(ETAG, etag), (CACHE_CONTROL, "no-cache".to_owned())], response).into_response())
}

fn meta(app: &App) -> Meta {
    let log = app.log.borrow().clone();
    let limits = FIXED.iter().copied().chain(app.limits.list());
    Meta {
        version: env!("CARGO_PKG_VERSION"),
        log: LogView { id: log.id, epoch: log.epoch() },
        limits: limits.map(|limit| (limit.name(), limit.into())).collect(),
        roles: Role::ALL.into_iter().map(RoleView::new).collect(),
        team_roles: TeamRole::ALL.into_iter().map(TeamRoleView::new).collect(),
        event_types: Event::types().collect(),
    }
}
