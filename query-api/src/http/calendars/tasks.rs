use chrono::{Months, NaiveDate};
use sqlx::types::Json;
use taskfold_domain::ids::ProjectId;
use taskfold_event_log::clock;

use super::ics::{self, Entry, ShownAs};
use crate::http::access::Membership;
use crate::http::answer::Answer;
use crate::http::error::ReadError;
use crate::http::reading::{Reading, Snapshot};

/// How many tasks a calendar has: those that end first, from a year ago on.
const MOST: i64 = 5000;
const CONTENT_TYPE: &str = "text/calendar; charset=utf-8";

/// The project's tasks that have a time, for a calendar program. The tag is that of the project and the day: as long as nothing
/// happens in it, asking again costs next to nothing.
pub async fn answer(
    reading: &Reading,
    (snapshot, member): (Snapshot, Membership),
    project: ProjectId,
    shown_as: ShownAs,
) -> Result<Answer, ReadError> {
    // The first day shown, which moves on with the clock alone.
    let first: NaiveDate = clock::now().utc().date_naive() - Months::new(12);
    let etag = member.tag(reading, &snapshot, &format!("{} {first}", shown_as.as_str()));
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
           AND CASE WHEN due_at IS NULL THEN start_at ELSE due_at END >= $4::date::timestamp AT TIME ZONE 'UTC' \
         ORDER BY CASE WHEN due_at IS NULL THEN start_at ELSE due_at END, task_id LIMIT $3",
    )
    .bind(project.0)
    .bind(Json(labels))
    .bind(MOST)
    .bind(first)
    .fetch_all(&mut *snapshot.db)
    .await?;
    let body = ics::calendar(&name, entries, shown_as);
    Ok(Answer::tagged(reading, snapshot, etag, body.into_bytes()).await.of_type(CONTENT_TYPE))
}
