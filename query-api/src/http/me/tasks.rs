use std::collections::HashSet;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::Query;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::http::answer::Answer;
use crate::http::app::App;
use crate::http::error::{ReadError, bad_cursor_or};
use crate::http::page::{ListName, Page, limit};
use crate::http::reading::{ReadHeaders, Reading};
use crate::http::values::{Position, Time};
use crate::http::view::{Card, card_fields};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    #[param(inline)]
    view: Option<View>,
    /// Due earlier than this.
    #[param(value_type = Option<String>, format = DateTime)]
    due_before: Option<Time>,
    /// From 1 to 200, 50 by default.
    limit: Option<i64>,
    /// Good for the same view and `due_before`.
    cursor: Option<String>,
    /// Answer only with what reflects this position.
    #[param(value_type = Option<u64>)]
    min_position: Option<Position>,
}

/// Which of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// Those that are not over: neither completed nor cancelled nor failed.
    #[default]
    Open,
    /// Open, and their time has passed.
    Overdue,
    /// Open, and due within 24 hours.
    DueSoon,
    /// Open, and waiting for other tasks.
    Blocked,
    /// Those that are over too.
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

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    card: Card,
    sort_key: String,
}

/// What the caller is to do in all their projects, by due time: what is never due comes last. Archived tasks are left out.
#[utoipa::path(
    get, path = "/v1/me/tasks", operation_id = "listMyTasks", tag = "me",
    params(Params, ReadHeaders),
    responses((status = 200, description = "A page of cards", body = Page<Card>), (status = 304, description = "As before"), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    reading: Reading,
    Query(query): Query<Params>,
) -> Result<Answer, ReadError> {
    let limit = limit(query.limit)?;
    let view = query.view.unwrap_or_default();
    let list = ListName::new("my tasks", reading.caller.user_id.0, &(view, query.due_before));
    let after = list.read(query.cursor.as_deref())?;
    let mut snapshot = reading.snapshot(&app, query.min_position).await?;
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "SELECT * FROM (SELECT ",
        card_fields!(),
        ", coalesce(due_at, 'infinity')::text AS sort_key FROM tasks WHERE task_id IN (SELECT taskfold_my_tasks()) \
             AND ($1 = 'all' OR status NOT IN ('completed', 'cancelled', 'failed')) \
             AND ($1 <> 'overdue' OR due_at < now()) \
             AND ($1 <> 'due_soon' OR (due_at >= now() AND due_at < now() + interval '24 hours')) \
             AND ($2::timestamptz IS NULL OR due_at < $2)) AS mine \
         WHERE ($1 <> 'blocked' OR blocked) AND (coalesce(due_at, 'infinity'), task_id) > ($3::text::timestamptz, $4) \
         ORDER BY coalesce(due_at, 'infinity'), task_id LIMIT $5"
    ))
    .bind(view.as_str())
    .bind(query.due_before.map(|time| time.0))
    .bind(after.as_ref().map_or("-infinity", |c| &c.key))
    .bind(after.as_ref().map_or(Uuid::nil(), |c| c.id))
    .bind(limit + 1)
    .fetch_all(&mut *snapshot.db)
    .await
    .map_err(bad_cursor_or)?;
    let projects: Vec<Uuid> = rows.iter().map(|row| row.card.fields.project_id).collect();
    // Labels that were removed stay on tasks, and are not shown.
    let labels: HashSet<Uuid> = sqlx::query_scalar("SELECT label_id FROM label_documents WHERE project_id = ANY ($1)")
        .bind(projects)
        .fetch_all(&mut *snapshot.db)
        .await?
        .into_iter()
        .collect();
    let place = |row: &Row| (row.sort_key.clone(), row.card.fields.id);
    let page = list.page(rows, limit, place, |mut row| {
        row.card.fields.keep_labels(&labels);
        row.card
    });
    Answer::page(&reading, snapshot, &page).await
}
