//! `GET /v1/search`: full-text search over the caller's projects.

/// Cancellation of a search whose caller has disconnected.
mod cancel;
/// Excerpts as safe HTML.
mod marks;

use std::time::Duration;

use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use taskfold_domain::ids::ProjectId;
use taskfold_domain::limits::{QUERY_CHARS, QUERY_WORDS, SEARCH_SECONDS};
use taskfold_domain::task::Status;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::Query;
use taskfold_web::{Code, Problem};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use self::cancel::CancelOnDrop;
use self::marks::Marked;
use super::app::App;
use super::error::{ReadError, bad_cursor_or, invalid_cursor};
use super::page::{ListName, Page, limit};
use super::read_request::{ReadHeaders, ReadRequest};
use super::read_response::ReadResponse;
use super::snapshot::Snapshot;
use super::text_enum::TextEnum;
use super::values::Position;

/// Time limit of a search. Nobody waits longer while typing.
const TIME_LIMIT: Duration = Duration::from_secs(SEARCH_SECONDS);

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// Words, all of which must match, in any case; the last one may be a prefix. At most 200 characters and 20 words.
    #[param(example = "login pag")]
    q: String,
    /// Results in this project only.
    #[param(value_type = Option<Uuid>)]
    project_id: Option<ProjectId>,
    /// Results of this kind only.
    #[param(inline)]
    kind: Option<SearchResultKind>,
    /// Includes archived tasks and their comments.
    archived: Option<bool>,
    /// Number of items, from 1 to 200; 50 by default.
    limit: Option<i64>,
    /// Valid with the same search.
    cursor: Option<String>,
    /// Minimum position that the response must reflect.
    #[param(value_type = Option<u64>)]
    min_position: Option<Position>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchResultKind {
    Task,
    Comment,
}

/// A search result: a task, or a comment and its task.
#[derive(Serialize, ToSchema)]
pub struct SearchResult {
    #[schema(value_type = SearchResultKind)]
    kind: TextEnum<SearchResultKind>,
    project_id: Uuid,
    task_id: Uuid,
    comment_id: Option<Uuid>,
    /// Title of the task.
    title: String,
    #[schema(value_type = Status)]
    status: TextEnum<Status>,
    archived: bool,
    /// The title as HTML, in which matches are in `<mark>` and everything else is escaped.
    #[schema(value_type = String, example = "The <mark>login</mark> page")]
    title_html: Marked,
    /// An excerpt of the description or of the comment, as such HTML; null without a description.
    #[schema(value_type = Option<String>)]
    excerpt_html: Option<Marked>,
    /// Time of the last change of the task, or of the comment.
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    sort_key: String,
}

/// Tasks and comments of the caller's projects by words in titles and label names (which weigh most), descriptions and
/// comments. The best match is first, and the newest among equal ones. The search has no language: words match as they
/// are written. Of more than 1,000 matching tasks or comments, the newest 1,000 are ranked; for a very frequent word,
/// the newest 5,000 are searched, with an equal share for each project. A search that takes longer than 2 seconds is
/// answered with 503.
#[utoipa::path(
    get, path = "/v1/search", operation_id = "search", tag = "search",
    params(Params, ReadHeaders),
    responses((status = 200, description = "A page of results", body = Page<SearchResult>), (status = 304, description = "Not modified"), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Query(query): Query<Params>,
) -> Result<ReadResponse, ReadError> {
    let limit = limit(query.limit)?;
    let words = words(&query.q)?;
    let archived = query.archived.unwrap_or(false);
    let list = ListName::new("search", request.caller.user_id.0, &(&words, query.project_id, query.kind, archived))
        .keyset(limit, query.cursor.as_deref())?;
    let after = match &list.after {
        None => ("infinity", "infinity", Uuid::max()),
        Some(cursor) => {
            let (rank, updated) = cursor.key.split_once(' ').ok_or_else(invalid_cursor)?;
            (rank, updated, cursor.id)
        }
    };
    let mut snapshot = match query.project_id {
        Some(project) => request.project(&app, query.min_position, project).await?.0,
        None => request.snapshot(&app, query.min_position).await?,
    };
    let cancel = limit_time(&app, &mut snapshot).await?;
    // Excerpts are made for the returned rows only, and from the beginning of long texts. Before, the characters of the
    // marks are removed from the text, and angle brackets, between which PostgreSQL would see HTML and omit it, become
    // two more such characters.
    let results = sqlx::query_as!(
        SearchResult,
        r#"
        SELECT CASE WHEN f.comment_id IS NULL THEN 'task' ELSE 'comment' END AS "kind!: _",
               t.project_id, f.task_id AS "task_id!", f.comment_id, t.title, t.status AS "status: _", t.archived,
               ts_headline('pg_catalog.simple',
                   translate(t.title, U&'<>\E000\E001\E002\E003', U&'\E002\E003'), f.terms,
                   U&'StartSel=\E000, StopSel=\E001, HighlightAll=true') AS "title_html!: _",
               CASE WHEN f.comment_id IS NOT NULL OR t.description <> '' THEN
                   ts_headline('pg_catalog.simple',
                       translate(left(coalesce(c.text, t.description), 10000), U&'<>\E000\E001\E002\E003', U&'\E002\E003'),
                       f.terms, U&'StartSel=\E000, StopSel=\E001, MaxWords=30, MinWords=10')
               END AS "excerpt_html: _",
               CASE WHEN c.comment_id IS NULL THEN t.updated_at ELSE coalesce(c.edited_at, c.created_at) END
                   AS "updated_at!",
               f.rank || ' ' || f.created_at AS "sort_key!"
        FROM taskfold_search($1, $2, $3, $4, $5, $6::text::real, $7::text::timestamptz, $8, $9) AS f
        JOIN tasks t ON t.task_id = f.task_id
        LEFT JOIN comments c ON c.task_id = f.task_id AND c.comment_id = f.comment_id
        ORDER BY f.rank DESC, f.created_at DESC, coalesce(f.comment_id, f.task_id) DESC LIMIT $9
        "#,
        &words,
        query.project_id.map(|project| project.0),
        query.kind != Some(SearchResultKind::Comment),
        query.kind != Some(SearchResultKind::Task),
        archived,
        after.0,
        after.1,
        after.2,
        list.row_limit(),
    )
    .fetch_all(&mut *snapshot.db)
    .await
    .map_err(too_slow_or)?;
    cancel.disarm();
    let key = |result: &SearchResult| (result.sort_key.clone(), result.comment_id.unwrap_or(result.task_id));
    let page = list.page(results, key, |result| result);
    ReadResponse::page(&request, snapshot, &page).await
}

/// Limits the time of the next statement, which is cancelled when the caller disconnects.
async fn limit_time(app: &App, snapshot: &mut Snapshot) -> Result<CancelOnDrop, ReadError> {
    let transaction = sqlx::query!(
        r#"
        SELECT pg_backend_pid() AS "pid!", now() AS "began!", set_config('statement_timeout', $1, true) AS "limit!"
        "#,
        format!("{}s", TIME_LIMIT.as_secs()),
    )
    .fetch_one(&mut *snapshot.db)
    .await?;
    Ok(CancelOnDrop::new(app.pool.clone(), transaction.pid, transaction.began))
}

fn words(q: &str) -> Result<Vec<String>, ReadError> {
    let words: Vec<String> = q.split_whitespace().map(str::to_owned).collect();
    if words.is_empty() || q.chars().count() > QUERY_CHARS || words.len() > QUERY_WORDS {
        let detail = format!("must have 1 to {QUERY_CHARS} characters, and 1 to {QUERY_WORDS} words");
        return Err(Problem::invalid_field("/q", detail).into());
    }
    Ok(words)
}

fn too_slow_or(error: sqlx::Error) -> ReadError {
    const QUERY_CANCELED: &str = "57014";
    let code = error.as_database_error().and_then(|e| e.code());
    if code.as_deref() == Some(QUERY_CANCELED) {
        let detail = "The search took longer than 2 seconds. Use more words, or search in one project";
        return Problem::new(Code::Unavailable, detail).retry_after(1).into();
    }
    bad_cursor_or(error)
}
