use sqlx::types::Json;
use taskfold_domain::ids::ProjectId;

use super::ics::{self, Entry, ShownAs};
use crate::http::answer::Answer;
use crate::http::error::ReadError;
use crate::http::reading::{Reading, Snapshot};

/// How many tasks a calendar has: those that end first, from a year ago on.
const MOST: i64 = 5000;
const CONTENT_TYPE: &str = "text/calendar; charset=utf-8";

/// The project's tasks that have a time, for a calendar program. The tag is that of the project: as long as nothing happens in
/// it, asking again costs next to nothing.
pub async fn answer(
    reading: &Reading,
    mut snapshot: Snapshot,
    project: ProjectId,
    shown_as: ShownAs,
) -> Result<Answer, ReadError> {
    let etag = snapshot.project(project).await?.tag(&snapshot);
    let mut snapshot = match Answer::unchanged(reading, snapshot, &etag).await {
        Ok(answer) => return Ok(answer),
        Err(snapshot) => snapshot,
    };
    let (name, Json(labels)): (String, Json<serde_json::Value>) =
        sqlx::query_as("SELECT name, labels FROM projects WHERE project_id = $1")
            .bind(project.0)
            .fetch_one(&mut *snapshot.db)
            .await?;
    let entries: Vec<Entry> = sqlx::query_as(
        "SELECT task_id, title, description, status, priority, progress, start_at, due_at, created_at, updated_at, version, \
                ARRAY(SELECT l ->> 'name' FROM jsonb_array_elements($2) AS l WHERE (l ->> 'id')::uuid = ANY (label_ids)) \
                    AS labels \
         FROM tasks \
         WHERE project_id = $1 AND NOT deleted AND NOT archived \
           AND CASE WHEN due_at IS NULL THEN start_at ELSE due_at END >= now() - interval '1 year' \
         ORDER BY CASE WHEN due_at IS NULL THEN start_at ELSE due_at END, task_id LIMIT $3",
    )
    .bind(project.0)
    .bind(Json(labels))
    .bind(MOST)
    .fetch_all(&mut *snapshot.db)
    .await?;
    let body = ics::calendar(&name, entries, shown_as);
    Ok(Answer::tagged(reading, snapshot, etag, body.into_bytes()).await.of_type(CONTENT_TYPE))
}
