//! `GET /v1/projects/{project_id}/board`: the board of a project, or a window of it.

use std::collections::HashMap;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::types::Json;
use taskfold_domain::ids::ProjectId;
use taskfold_domain::limits::BOARD_CARDS;
use taskfold_domain::project::{Category, Column, WipPolicy};
use taskfold_web::Problem;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::http::app::App;
use crate::http::error::{ReadError, invalid_cursor};
use crate::http::page::{Cursor, ListName, bounded};
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;
use crate::http::snapshot::Snapshot;
use crate::http::values::Position;
use crate::http::view::{Card, Present, select_cards};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// Number of cards per column, from 1 to 200; all by default.
    column_limit: Option<i64>,
    /// The `next_cursor` of a column: responds with the next cards of that column only. Requires `column_limit`.
    cursor: Option<String>,
    /// Minimum position that the response must reflect.
    #[param(value_type = Option<u64>)]
    min_position: Option<Position>,
}

/// A project's board. It stays current with the events of the stream after `position`.
#[derive(Serialize, ToSchema)]
pub struct Board {
    project_id: Uuid,
    /// The position that it reflects.
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
    /// The column has more cards than `wip_limit`.
    over_limit: bool,
    /// Number of cards in the column, included here or not.
    task_count: i64,
    /// In rank order.
    tasks: Vec<Card>,
    /// The cursor of the column's next cards, to send as `cursor`; null at its end.
    next_cursor: Option<String>,
}

/// The board: columns and cards that are not archived, in order. Read large boards in windows: the first cards of every
/// column with `column_limit`, and more of one column with its `next_cursor`.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}/board", operation_id = "getBoard", tag = "projects",
    params(("project_id" = Uuid, Path, description = "the project"), Params, ReadHeaders),
    responses(
        (status = 200, description = "The board. Its `ETag` stays the same until the next event of the project, whatever its \
                                      `position`; a 304 has the position in `Taskfold-Position`", body = Board),
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
    let limit =
        query.column_limit.map(|limit| bounded("/column_limit", Some(limit), limit, BOARD_CARDS)).transpose()?;
    let list = ListName::new("board", project_id.0, &());
    let list = list.keyset(limit.unwrap_or(i64::MAX), query.cursor.as_deref())?;
    let after = list.after.as_ref().map(BoardCursor::of).transpose()?;
    if after.is_some() && limit.is_none() {
        return Err(Problem::invalid_field("/column_limit", "is required with a cursor").into());
    }
    let (snapshot, member) = request.project(&app, query.min_position, project_id).await?;
    let etag = request.project_etag(&member, &snapshot, "");
    let mut snapshot = match ReadResponse::unchanged(&request, snapshot, &etag).await {
        Ok(not_modified) => return Ok(not_modified),
        Err(snapshot) => snapshot,
    };
    let Json(mut columns) = sqlx::query_scalar!(
        r#"SELECT columns AS "columns: Json<Vec<Column>>" FROM projects WHERE project_id = $1"#,
        project_id.0,
    )
    .fetch_one(&mut *snapshot.db)
    .await?;
    columns.retain(|column| !column.archived && after.as_ref().is_none_or(|cursor| cursor.column == column.id.0));
    let counts: HashMap<Uuid, i64> =
        sqlx::query!("SELECT column_id, tasks FROM column_counts WHERE project_id = $1", project_id.0)
            .map(|count| (count.column_id, count.tasks))
            .fetch_all(&mut *snapshot.db)
            .await?
            .into_iter()
            .collect();
    let mut by_column: HashMap<Uuid, Vec<Card>> = HashMap::new();
    let cards = cards(&mut snapshot, project_id, &columns, after.as_ref(), limit).await?;
    let people = cards.iter().map(|card| card.fields.people());
    let present = Present::read(&mut snapshot, member.labels(), people).await?;
    for mut card in cards {
        card.fields.keep(&present);
        by_column.entry(card.fields.column_id).or_default().push(card);
    }
    let columns: Vec<BoardColumn> = columns
        .into_iter()
        .map(|column| {
            let cards = by_column.remove(&column.id.0).unwrap_or_default();
            let key = |card: &Card| (format!("{}{}", column.id.0, card.fields.rank), card.fields.id);
            let page = list.page(cards, key, |card| card);
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
    Ok(ReadResponse::tagged(&request, snapshot, etag, serde_json::to_vec(&board)?).await)
}

/// Card after which a window starts.
struct BoardCursor {
    column: Uuid,
    rank: String,
    task: Uuid,
}

impl BoardCursor {
    fn of(cursor: &Cursor) -> Result<Self, ReadError> {
        const ID: usize = uuid::fmt::Hyphenated::LENGTH;
        let (column, rank) = cursor.key.split_at_checked(ID).ok_or_else(invalid_cursor)?;
        let column = column.parse().map_err(|_| invalid_cursor())?;
        Ok(Self { column, rank: rank.to_owned(), task: cursor.id })
    }
}

/// Reads one card more than `limit` of each column.
async fn cards(
    snapshot: &mut Snapshot,
    project: ProjectId,
    columns: &[Column],
    after: Option<&BoardCursor>,
    limit: Option<i64>,
) -> Result<Vec<Card>, ReadError> {
    let columns: Vec<Uuid> = columns.iter().map(|column| column.id.0).collect();
    let cards = select_cards!(
        card, row => card;
        "SELECT" CARD r#"
            FROM unnest($2::uuid[]) WITH ORDINALITY AS on_board (id, place) CROSS JOIN LATERAL (
                SELECT * FROM tasks t
                WHERE t.project_id = $1 AND t.column_id = on_board.id AND NOT t.archived AND NOT t.deleted
                  AND (t.rank, t.task_id) > ($3, $4)
                ORDER BY t.rank, t.task_id LIMIT $5) AS tasks
            ORDER BY place, rank, task_id
        "#;
        project.0,
        &columns,
        after.map_or("", |cursor| cursor.rank.as_str()),
        after.map_or(Uuid::nil(), |cursor| cursor.task),
        limit.map(|limit| limit + 1),
    );
    Ok(cards.fetch_all(&mut *snapshot.db).await?)
}
