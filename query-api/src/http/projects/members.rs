//! `GET /v1/projects/{project_id}/members`: the members of a project.

use axum::extract::State;
use serde::Serialize;
use taskfold_domain::Role;
use taskfold_domain::ids::ProjectId;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::app::App;
use crate::http::error::{ReadError, bad_cursor_or};
use crate::http::page::{Keyset, Page, Paging};
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;
use crate::http::text_enum::TextEnum;

/// A member of a project.
#[derive(Serialize, ToSchema)]
#[schema(as = Member)]
pub struct MemberView {
    user_id: Uuid,
    /// Null if the account was erased. That of an imported person without an account begins with `~`.
    username: Option<String>,
    display_name: Option<String>,
    /// The highest of their own role and those of their teams.
    #[schema(value_type = Role)]
    role: TextEnum<Role>,
    /// Null for a member through teams alone.
    #[schema(value_type = Option<Role>)]
    own_role: Option<TextEnum<Role>>,
    /// Teams through which they have a role.
    team_ids: Vec<Uuid>,
    #[serde(skip)]
    sort_key: String,
}

/// The members of a project, in the order in which they joined.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}/members", operation_id = "listMembers", tag = "projects",
    params(("project_id" = Uuid, Path, description = "the project"), Paging, ReadHeaders),
    responses(
        (status = 200, description = "A page of members", body = Page<MemberView>),
        (status = 304, description = "Not modified"),
        ReadProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Path(project_id): Path<ProjectId>,
    Query(query): Query<Paging>,
) -> Result<ReadResponse, ReadError> {
    let list = Keyset::of("members", project_id.0, &query)?;
    let (mut snapshot, _) = request.project(&app, query.min_position, project_id).await?;
    let rows = sqlx::query_as!(
        MemberView,
        r#"
        SELECT user_id AS "user_id!", username, display_name, role AS "role!: _", own_role AS "own_role: _",
               team_ids AS "team_ids!", joined_at::text AS "sort_key!"
        FROM taskfold_people($1)
        WHERE (joined_at, user_id) > ($2::text::bigint, $3)
        ORDER BY joined_at, user_id LIMIT $4
        "#,
        project_id.0,
        list.key("-1"),
        list.id(),
        list.row_limit(),
    )
    .fetch_all(&mut *snapshot.db)
    .await
    .map_err(bad_cursor_or)?;
    let page = list.page(rows, |m| (m.sort_key.clone(), m.user_id), |m| m);
    ReadResponse::page(&request, snapshot, &page).await
}
