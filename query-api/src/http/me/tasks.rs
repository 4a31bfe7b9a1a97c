//! `GET /v1/me/tasks`: the tasks that are assigned to the caller.

use std::collections::HashSet;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::Query;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::http::app::App;
use crate::http::error::{ReadError, bad_cursor_or};
use crate::http::page::{ListName, Page, limit};
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;
use crate::http::values::{Position, Time};
use crate::http::view::{Card, Present, select_cards};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    #[param(inline)]
    view: Option<View>,
    /// Tasks due before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    due_before: Option<Time>,
    /// Number of items, from 1 to 200; 50 by default.
    limit: Option<i64>,
    /// Valid with the same `view` and `due_before`.
    cursor: Option<String>,
    /// Minimum position that the response must reflect.
    #[param(value_type = Option<u64>)]
    min_position: Option<Position>,
}

/// Selection of the caller's tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// Neither completed nor cancelled nor failed.
    #[default]
    Open,
    /// Open, and past their due time.
    Overdue,
    /// Open, and due within 24 hours.
    DueSoon,
    /// Open, and blocked by other tasks.
    Blocked,
    /// Open or not.
    All,
}

impl View {
    fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Overdue => "overdue",
            Self::DueSoon => "due_soon",
            Self::Blocked => "blocked",
            Self::All => "all",
        }
    }
}

/// The tasks that are assigned to the caller, in all projects, by due time; tasks without one come last. Archived tasks
/// are not included, nor are those of archived columns and projects.
#[utoipa::path(
    get, path = "/v1/me/tasks", operation_id = "listMyTasks", tag = "me",
    params(Params, ReadHeaders),
    responses((status = 200, description = "A page of cards", body = Page<Card>), (status = 304, description = "Not modified"), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Query(query): Query<Params>,
) -> Result<ReadResponse, ReadError> {
    let view = query.view.unwrap_or_default();
    let list = ListName::new("my tasks", request.caller.user_id.0, &(view, query.due_before))
        .keyset(limit(query.limit)?, query.cursor.as_deref())?;
    let mut snapshot = request.snapshot(&app, query.min_position).await?;
    let rows: Vec<(Card, String)> = select_cards!(
        card, row => (card, row.sort_key);
        "SELECT * FROM (SELECT" CARD r#", coalesce(due_at, 'infinity')::text AS "sort_key!"
                FROM tasks
                WHERE task_id IN (SELECT taskfold_my_tasks())
                  AND ($1 = 'all' OR status NOT IN ('completed', 'cancelled', 'failed'))
                  AND ($1 <> 'overdue' OR due_at < now())
                  AND ($1 <> 'due_soon' OR (due_at >= now() AND due_at < now() + interval '24 hours'))
                  AND ($2::timestamptz IS NULL OR due_at < $2)) AS mine
            WHERE ($1 <> 'blocked' OR "blocked!")
              AND (coalesce(due_at, 'infinity'), task_id) > ($3::text::timestamptz, $4)
            ORDER BY coalesce(due_at, 'infinity'), task_id LIMIT $5
        "#;
        view.as_str(),
        query.due_before.map(|time| time.0),
        list.key("-infinity"),
        list.id(),
        list.row_limit(),
    )
    .fetch_all(&mut *snapshot.db)
    .await
    .map_err(bad_cursor_or)?;
    let projects: Vec<Uuid> = rows.iter().map(|(card, _)| card.fields.project_id).collect();
    // Tasks keep removed labels, and they are not shown.
    let labels: HashSet<Uuid> =
        sqlx::query_scalar!("SELECT label_id FROM label_documents WHERE project_id = ANY ($1)", &projects)
            .fetch_all(&mut *snapshot.db)
            .await?
            .into_iter()
            .collect();
    let key = |(card, sort_key): &(Card, String)| (sort_key.clone(), card.fields.id);
    let present = Present::read(&mut snapshot, labels, rows.iter().map(|(card, _)| card.fields.people())).await?;
    let page = list.page(rows, key, |(mut card, _)| {
        card.fields.keep(&present);
        card
    });
    ReadResponse::page(&request, snapshot, &page).await
}
