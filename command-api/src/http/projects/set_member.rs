//! `PUT /v1/projects/{project_id}/members/{user_id}`: add a member, or change their role.

use axum::extract::State;
use serde::Deserialize;
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_domain::project::commands::SetMember;
use taskfold_domain::{ProjectCommand, Role};
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::{Body, Path};
use utoipa::ToSchema;

use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberRole {
    role: Role,
}

/// Add a member, or change their role.
#[utoipa::path(
    put, path = "/v1/projects/{project_id}/members/{user_id}", operation_id = "setMember", tag = "projects",
    params(
        ("project_id" = Uuid, Path, description = "the project"),
        ("user_id" = Uuid, Path, description = "the user"),
        CommandHeaders
    ),
    request_body = MemberRole,
    responses(
        (status = 201, description = "Created", body = CommandReply),
        (status = 200, description = "Already in this state, or a replay", body = CommandReply),
        CommandProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: CommandRequest,
    Path((project_id, user_id)): Path<(ProjectId, UserId)>,
    Body(body): Body<MemberRole>,
) -> Result<Reply, ApiError> {
    let done = app
        .engine
        .project(project_id, ProjectCommand::SetMember(SetMember { user_id, role: body.role }), request.envelope())
        .await?;
    Ok(Reply::created_at(done, |done, created| format!("/v1/projects/{}/members/{created}", done.id)))
}
