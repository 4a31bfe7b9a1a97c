//! Tasks of a calendar, for members and for links.

use chrono::{Months, NaiveDate};
use taskfold_domain::Timestamp;
use taskfold_domain::ids::ProjectId;
use taskfold_domain::limits::CALENDAR_LINK_TASKS;

use super::ics::{self, Entry, ShownAs};
use crate::http::error::ReadError;
use crate::http::membership::Membership;
use crate::http::read_request::ReadRequest;
use crate::http::read_response::ReadResponse;
use crate::http::snapshot::Snapshot;

const CONTENT_TYPE: &str = "text/calendar; charset=utf-8";

/// Responds with the project's tasks that have a time. The tag depends on the project and the day, so that polling a
/// project without changes reads nothing.
pub async fn respond(
    request: &ReadRequest,
    (snapshot, member): (Snapshot, Membership),
    project: ProjectId,
    shown_as: ShownAs,
    now: Timestamp,
) -> Result<ReadResponse, ReadError> {
    let first = first_day(now);
    let etag = request.project_etag(&member, &snapshot, &format!("{} {first}", shown_as.as_str()));
    let mut snapshot = match ReadResponse::unchanged(request, snapshot, &etag).await {
        Ok(not_modified) => return Ok(not_modified),
        Err(snapshot) => snapshot,
    };
    let shown = sqlx::query!("SELECT name, labels FROM projects WHERE project_id = $1", project.0)
        .fetch_one(&mut *snapshot.db)
        .await?;
    let entries = sqlx::query_as!(
        Entry,
        r#"
        SELECT task_id, title, description, status AS "status: _", priority AS "priority: _", progress, start_at, due_at,
               created_at, updated_at, version,
               ARRAY(SELECT l ->> 'name' FROM jsonb_array_elements($2) AS l WHERE (l ->> 'id')::uuid = ANY (label_ids))
                   AS "labels!: _"
        FROM tasks
        WHERE project_id = $1 AND NOT deleted AND NOT archived
          AND column_id <> ALL ((SELECT taskfold_hidden_columns($1))::uuid[])
          AND CASE WHEN due_at IS NULL THEN start_at ELSE due_at END >= $4::date::timestamp AT TIME ZONE 'UTC'
        ORDER BY CASE WHEN due_at IS NULL THEN start_at ELSE due_at END, task_id LIMIT $3
        "#,
        project.0,
        shown.labels,
        CALENDAR_LINK_TASKS,
        first,
    )
    .fetch_all(&mut *snapshot.db)
    .await?;
    let body = ics::calendar(&shown.name, entries, shown_as);
    Ok(ReadResponse::tagged(request, snapshot, etag, body.into_bytes()).await.of_type(CONTENT_TYPE))
}

/// First day in the calendar, which advances without any event.
fn first_day(now: Timestamp) -> NaiveDate {
    now.utc().date_naive() - Months::new(12)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};
    use taskfold_event_log::FixedClock;

    use super::*;

    #[test]
    fn the_first_day_advances_at_midnight_utc() {
        let time = DateTime::parse_from_rfc3339("2028-02-28T23:59:59Z").expect("a time").to_utc();
        let fixed = FixedClock::new(time.into());
        let first_day_in = |seconds| {
            fixed.advance(TimeDelta::seconds(seconds));
            first_day(fixed.clock().now()).to_string()
        };
        // 2028 is a leap year, and 2027 is not.
        let days = [0, 1, 86_399, 1].map(first_day_in);
        assert_eq!(days, ["2027-02-28", "2027-02-28", "2027-02-28", "2027-03-01"]);
    }
}
