/// A search whose caller has gone ends.
mod cancel;
/// Excerpts that are safe to show.
mod marks;

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use taskfold_domain::ids::ProjectId;
use taskfold_domain::task::Status;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::Query;
use taskfold_web::{Code, Problem};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use self::cancel::CancelOnDrop;
use self::marks::{Marked, headline};
use super::answer::Answer;
use super::app::App;
use super::error::{ReadError, bad_cursor_or, invalid_cursor};
use super::page::{ListName, Page, limit};
use super::reading::{ReadHeaders, Reading, Snapshot};
use super::stored::Stored;
use super::values::Position;

const Q_CHARS: usize = 200;
const WORDS: usize = 20;
/// How long a search may take. Nobody waits longer while typing.
const TIME: &str = "2s";

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// Words, all of which must be there, in upper or lower case; the last may be the beginning of one. At most 200 characters
    /// and 20 words.
    #[param(example = "login pag")]
    q: String,
    /// Only in this project.
    #[param(value_type = Option<Uuid>)]
    project_id: Option<ProjectId>,
    /// Only tasks, or only comments.
    #[param(inline)]
    kind: Option<FoundKind>,
    /// Archived tasks, and comments on them, too.
    archived: Option<bool>,
    /// From 1 to 200, 50 by default.
    limit: Option<i64>,
    /// Good for the same search.
    cursor: Option<String>,
    /// Answer only with what reflects this position.
    #[param(value_type = Option<u64>)]
    min_position: Option<Position>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FoundKind {
    Task,
    Comment,
}

/// Something that was found: a task, or a comment and the task that it is on.
#[derive(Serialize, ToSchema, sqlx::FromRow)]
pub struct Found {
    #[sqlx(skip)]
    kind: Option<FoundKind>,
    project_id: Uuid,
    task_id: Uuid,
    comment_id: Option<Uuid>,
    /// Of the task.
    title: String,
    #[schema(value_type = Status)]
    status: Stored<Status>,
    archived: bool,
    /// The title as HTML in which nothing but `<mark>` round what was found is markup.
    #[schema(value_type = String, example = "The <mark>login</mark> page")]
    title_html: Marked,
    /// Where the description, or the comment, has what was found, as such HTML too; null without a description.
    #[schema(value_type = Option<String>)]
    excerpt_html: Option<Marked>,
    /// Of the task, or of the comment.
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    sort_key: String,
}

/// Tasks and comments by their words: in titles and names of labels (which weigh most), descriptions and comments of the
/// caller's projects. The best first, and of equals the newest. No language is assumed: words are found as they are
/// written. Of more than 1,000 tasks or comments that match, the newest 1,000 are ranked; a word that very many have is looked
/// for in the newest 5,000, an equal share of each project. A search that takes longer than 2 seconds is 503.
#[utoipa::path(
    get, path = "/v1/search", operation_id = "search", tag = "search",
    params(Params, ReadHeaders),
    responses((status = 200, description = "A page of what was found", body = Page<Found>), (status = 304, description = "As before"), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    reading: Reading,
    Query(query): Query<Params>,
) -> Result<Answer, ReadError> {
    let limit = limit(query.limit)?;
    let words = words(&query.q)?;
    let archived = query.archived.unwrap_or(false);
    let list = ListName::new("search", reading.caller.user_id.0, &(&words, query.project_id, query.kind, archived));
    let after = list.read(query.cursor.as_deref())?;
    let after = match &after {
        None => ("infinity", "infinity", Uuid::max()),
        Some(cursor) => {
            let (rank, updated) = cursor.key.split_once(' ').ok_or_else(invalid_cursor)?;
            (rank, updated, cursor.id)
        }
    };
    let mut snapshot = match query.project_id {
        Some(project) => reading.project(&app, query.min_position, project).await?.0,
        None => reading.snapshot(&app, query.min_position).await?,
    };
    let cancel = hurry(&app, &mut snapshot).await?;
    let found: Vec<Found> = sqlx::query_as(SEARCH)
        .bind(&words)
        .bind(query.project_id.map(|project| project.0))
        .bind(query.kind != Some(FoundKind::Comment))
        .bind(query.kind != Some(FoundKind::Task))
        .bind(archived)
        .bind(after.0)
        .bind(after.1)
        .bind(after.2)
        .bind(limit + 1)
        .fetch_all(&mut *snapshot.db)
        .await
        .map_err(too_slow_or)?;
    cancel.disarm();
    let page = list.page(
        found,
        limit,
        |found| (found.sort_key.clone(), found.comment_id.unwrap_or(found.task_id)),
        |mut found| {
            found.kind = Some(found.comment_id.map_or(FoundKind::Task, |_| FoundKind::Comment));
            found
        },
    );
    Answer::page(&reading, snapshot, &page).await
}

/// Excerpts are made of what is shown alone. Only the beginning of a long text is looked through for one.
const SEARCH: &str = concat!(
    "SELECT t.project_id, f.task_id, f.comment_id, t.title, t.status, t.archived, \
            CASE WHEN c.comment_id IS NULL THEN t.updated_at ELSE coalesce(c.edited_at, c.created_at) END AS updated_at, \
            f.rank || ' ' || f.created_at AS sort_key, ",
    headline!("t.title", "HighlightAll=true"),
    " AS title_html, CASE WHEN f.comment_id IS NOT NULL OR t.description <> '' THEN ",
    headline!("left(coalesce(c.text, t.description), 10000)", "MaxWords=30, MinWords=10"),
    " END AS excerpt_html \
     FROM taskfold_search($1, $2, $3, $4, $5, $6::text::real, $7::text::timestamptz, $8, $9) AS f \
     JOIN tasks t ON t.task_id = f.task_id \
     LEFT JOIN comments c ON c.task_id = f.task_id AND c.comment_id = f.comment_id \
     ORDER BY f.rank DESC, f.created_at DESC, coalesce(f.comment_id, f.task_id) DESC LIMIT $9"
);

/// From here on the time is short, and runs out at once when the caller goes away.
async fn hurry(app: &App, snapshot: &mut Snapshot) -> Result<CancelOnDrop, ReadError> {
    let row = sqlx::query("SELECT pg_backend_pid() AS pid, now() AS began, set_config('statement_timeout', $1, true)")
        .bind(TIME)
        .fetch_one(&mut *snapshot.db)
        .await?;
    Ok(CancelOnDrop::new(app.pool.clone(), row.try_get("pid")?, row.try_get("began")?))
}

fn words(q: &str) -> Result<Vec<String>, ReadError> {
    let words: Vec<String> = q.split_whitespace().map(str::to_owned).collect();
    if words.is_empty() || q.chars().count() > Q_CHARS || words.len() > WORDS {
        let detail = format!("must have 1 to {Q_CHARS} characters, and 1 to {WORDS} words");
        return Err(Problem::invalid_field("/q", detail).into());
    }
    Ok(words)
}

fn too_slow_or(error: sqlx::Error) -> ReadError {
    const QUERY_CANCELED: &str = "57014";
    let code = error.as_database_error().and_then(|e| e.code());
    if code.as_deref() == Some(QUERY_CANCELED) {
        let detail = "The search took longer than 2 seconds: more words, or one project, make it shorter";
        return Problem::new(Code::Unavailable, detail).retry_after(1).into();
    }
    bad_cursor_or(error)
}
