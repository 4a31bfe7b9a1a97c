use std::collections::HashMap;

use axum::extract::State;
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::types::Json;
use taskfold_domain::ids::ProjectId;
use taskfold_domain::project::{Category, Column, WipPolicy};
use taskfold_openapi::problem::ReadProblems;
use taskfold_openapi::read::{Path, Query};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::answer::Answer;
use crate::http::app::App;
use crate::http::error::ReadError;
use crate::http::me::AtLeast;
use crate::http::reading::{ReadHeaders, Reading};
use crate::http::view::{Card, task_fields};

/// A project's board. Follow the stream from `position` on, and it stays current.
#[derive(Serialize, ToSchema)]
pub struct Board {
    project_id: Uuid,
    /// Which position of the log it reflects.
    #[schema(example = 1042)]
    position: i64,
    #[schema(value_type = Vec<BoardColumn>)]
    columns: Box<RawValue>,
}

/// A column on the board with its cards.
#[derive(Serialize, ToSchema)]
pub struct BoardColumn {
    id: Uuid,
    name: String,
    category: Category,
    wip_limit: Option<u32>,
    wip_policy: WipPolicy,
    /// More cards than `wip_limit`.
    over_limit: bool,
    /// In their order.
    tasks: Vec<Card>,
}

/// The board: columns and cards that are not archived, each in their order.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}/board", operation_id = "getBoard", tag = "projects",
    params(("project_id" = Uuid, Path, description = "the project"), AtLeast, ReadHeaders),
    responses(
        (status = 200, description = "The board. Its `ETag` stays the same while nothing happens in the project, whatever its \
                                      `position`; a 304 brings the position in `Taskfold-Position`", body = Board),
        (status = 304, description = "As before"),
        ReadProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    reading: Reading,
    Path(project_id): Path<ProjectId>,
    Query(query): Query<AtLeast>,
) -> Result<Answer, ReadError> {
    let mut snapshot = reading.snapshot(&app, query.min_position).await?;
    let member = snapshot.project(project_id).await?;
    let (labels, etag) = (member.labels(), member.tag(&snapshot));
    let mut snapshot = match Answer::unchanged(&reading, snapshot, &etag).await {
        Ok(answer) => return Ok(answer),
        Err(snapshot) => snapshot,
    };
    let Json(columns): Json<Vec<Column>> = sqlx::query_scalar("SELECT columns FROM projects WHERE project_id = $1")
        .bind(project_id.0)
        .fetch_one(&mut *snapshot.db)
        .await?;
    let cards: Vec<Card> = sqlx::query_as(concat!(
        "SELECT ",
        task_fields!(),
        ", jsonb_array_length(jsonb_path_query_array(checklists, '$[*].items[*] ? (@.done == true)'))::bigint \
             AS checklist_done, \
           jsonb_array_length(jsonb_path_query_array(checklists, '$[*].items[*]'))::bigint AS checklist_total \
         FROM tasks WHERE project_id = $1 AND NOT archived AND NOT deleted ORDER BY rank, task_id"
    ))
    .bind(project_id.0)
    .fetch_all(&mut *snapshot.db)
    .await?;

    let mut by_column: HashMap<Uuid, Vec<Card>> = HashMap::new();
    for mut card in cards {
        card.fields.keep_labels(&labels);
        by_column.entry(card.fields.column_id).or_default().push(card);
    }
    let columns: Vec<BoardColumn> = columns
        .into_iter()
        .filter(|column| !column.archived)
        .map(|column| {
            let tasks = by_column.remove(&column.id.0).unwrap_or_default();
            BoardColumn {
                id: column.id.0,
                name: column.name,
                category: column.category,
                wip_limit: column.wip_limit,
                wip_policy: column.wip_policy,
                over_limit: column.wip_limit.is_some_and(|limit| tasks.len() as u64 > u64::from(limit)),
                tasks,
            }
        })
        .collect();
    let columns = serde_json::value::to_raw_value(&columns)?;
    let board = Board { project_id: project_id.0, position: snapshot.position, columns };
    Ok(Answer::tagged(&reading, snapshot, etag, serde_json::to_vec(&board)?).await)
}
