use std::collections::HashMap;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::types::Json;
use taskfold_domain::ids::ProjectId;
use taskfold_domain::project::{Category, Column, WipPolicy};
use taskfold_web::Problem;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::http::answer::Answer;
use crate::http::app::App;
use crate::http::error::{ReadError, invalid_cursor};
use crate::http::page::{Cursor, ListName, bounded};
use crate::http::reading::{ReadHeaders, Reading, Snapshot};
use crate::http::values::Position;
use crate::http::view::{Card, card_fields};

const MAX_CARDS: i64 = 200;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// How many cards of each column, from 1 to 200; without it, all.
    column_limit: Option<i64>,
    /// A column's `next_cursor`: answers that column alone, with its next cards. Needs `column_limit`.
    cursor: Option<String>,
    /// Answer only with what reflects this position.
    #[param(value_type = Option<u64>)]
    min_position: Option<Position>,
}

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
    /// How many cards stand in it, shown here or not.
    task_count: i64,
    /// In their order.
    tasks: Vec<Card>,
    /// Send it as `cursor` for the next cards of this column; null at its end.
    next_cursor: Option<String>,
}

/// The board: columns and cards that are not archived, each in their order. Large boards are read in windows: the first
/// cards of every column with `column_limit`, and more of one column with its `next_cursor`.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}/board", operation_id = "getBoard", tag = "projects",
    params(("project_id" = Uuid, Path, description = "the project"), Params, ReadHeaders),
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
    Query(query): Query<Params>,
) -> Result<Answer, ReadError> {
    let limit = query.column_limit.map(|limit| bounded("/column_limit", Some(limit), limit, MAX_CARDS)).transpose()?;
    let list = ListName::new("board", project_id.0, &());
    let after = list.read(query.cursor.as_deref())?.as_ref().map(Place::of).transpose()?;
    if after.is_some() && limit.is_none() {
        return Err(Problem::invalid_field("/column_limit", "is required with a cursor").into());
    }
    let (snapshot, member) = reading.project(&app, query.min_position, project_id).await?;
    let (labels, etag) = (member.labels(), member.tag(&reading, &snapshot, ""));
    let mut snapshot = match Answer::unchanged(&reading, snapshot, &etag).await {
        Ok(answer) => return Ok(answer),
        Err(snapshot) => snapshot,
    };
    let Json(mut columns): Json<Vec<Column>> = sqlx::query_scalar("SELECT columns FROM projects WHERE project_id = $1")
        .bind(project_id.0)
        .fetch_one(&mut *snapshot.db)
        .await?;
    columns.retain(|column| !column.archived && after.as_ref().is_none_or(|place| place.column == column.id.0));
    let counts: HashMap<Uuid, i64> = sqlx::query_as("SELECT column_id, tasks FROM column_counts WHERE project_id = $1")
        .bind(project_id.0)
        .fetch_all(&mut *snapshot.db)
        .await?
        .into_iter()
        .collect();
    let mut by_column: HashMap<Uuid, Vec<Card>> = HashMap::new();
    for mut card in cards(&mut snapshot, project_id, &columns, after.as_ref(), limit).await? {
        card.fields.keep_labels(&labels);
        by_column.entry(card.fields.column_id).or_default().push(card);
    }
    let columns: Vec<BoardColumn> = columns
        .into_iter()
        .map(|column| {
            let cards = by_column.remove(&column.id.0).unwrap_or_default();
            let place = |card: &Card| (format!("{}{}", column.id.0, card.fields.rank), card.fields.id);
            let page = list.page(cards, limit.unwrap_or(i64::MAX), place, |card| card);
            let task_count = counts.get(&column.id.0).copied().unwrap_or_default();
            BoardColumn {
                id: column.id.0,
                name: column.name,
                category: column.category,
                wip_limit: column.wip_limit,
                wip_policy: column.wip_policy,
                over_limit: column.wip_limit.is_some_and(|limit| task_count > i64::from(limit)),
                task_count,
                tasks: page.items,
                next_cursor: page.next_cursor,
            }
        })
        .collect();
    let columns = serde_json::value::to_raw_value(&columns)?;
    let board = Board { project_id: project_id.0, position: snapshot.position, columns };
    Ok(Answer::tagged(&reading, snapshot, etag, serde_json::to_vec(&board)?).await)
}

/// Where a window begins: behind this card of this column.
struct Place {
    column: Uuid,
    rank: String,
    task: Uuid,
}

impl Place {
    fn of(cursor: &Cursor) -> Result<Self, ReadError> {
        const ID: usize = uuid::fmt::Hyphenated::LENGTH;
        let (column, rank) = cursor.key.split_at_checked(ID).ok_or_else(invalid_cursor)?;
        let column = column.parse().map_err(|_| invalid_cursor())?;
        Ok(Self { column, rank: rank.to_owned(), task: cursor.id })
    }
}

/// Of each column one card more than `limit`.
async fn cards(
    snapshot: &mut Snapshot,
    project: ProjectId,
    columns: &[Column],
    after: Option<&Place>,
    limit: Option<i64>,
) -> Result<Vec<Card>, ReadError> {
    let columns: Vec<Uuid> = columns.iter().map(|column| column.id.0).collect();
    Ok(sqlx::query_as(concat!(
        "SELECT ",
        card_fields!(),
        " FROM unnest($2::uuid[]) WITH ORDINALITY AS on_board (id, place) CROSS JOIN LATERAL ( \
             SELECT * FROM tasks t WHERE t.project_id = $1 AND t.column_id = on_board.id AND NOT t.archived AND NOT t.deleted \
                 AND (t.rank, t.task_id) > ($3, $4) \
             ORDER BY t.rank, t.task_id LIMIT $5) AS tasks \
         ORDER BY place, rank, task_id"
    ))
    .bind(project.0)
    .bind(columns)
    .bind(after.map_or("", |place| place.rank.as_str()))
    .bind(after.map_or(Uuid::nil(), |place| place.task))
    .bind(limit.map(|limit| limit + 1))
    .fetch_all(&mut *snapshot.db)
    .await?)
}
