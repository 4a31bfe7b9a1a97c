//! `GET /v1/projects/{project_id}/calendar`: the tasks of a range of days.

use axum::extract::State;
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use taskfold_domain::ids::ProjectId;
use taskfold_domain::limits::{CALENDAR_DAYS, CALENDAR_TASKS};
use taskfold_web::Problem;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use utoipa::{IntoParams, ToSchema};

use crate::http::app::App;
use crate::http::error::{ReadError, bad_cursor_or};
use crate::http::page::{ListName, Page, bounded};
use crate::http::read_request::{ReadHeaders, ReadRequest};
use crate::http::read_response::ReadResponse;
use crate::http::values::{Position, Time};
use crate::http::view::{Card, Present, select_cards};

/// A leap year, and the hour that a change of clocks may add.
const MAX_RANGE: TimeDelta = TimeDelta::hours(CALENDAR_DAYS * 24 + 1);

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// The first day (`2026-11-23`), or a time (RFC 3339).
    #[param(value_type = String, example = "2026-11-01")]
    from: Edge,
    /// The day after the last, or a time; at most a year after `from`.
    #[param(value_type = String, example = "2026-12-01")]
    to: Edge,
    /// The time zone of the days, as in the IANA database; UTC by default.
    #[param(value_type = Option<String>, example = "Europe/Berlin")]
    tz: Option<Zone>,
    /// Number of items, from 1 to 2,000, which is the default.
    limit: Option<i64>,
    /// Valid with the same days.
    cursor: Option<String>,
    /// Minimum position that the response must reflect.
    #[param(value_type = Option<u64>)]
    min_position: Option<Position>,
}

/// Start or end of the range.
#[derive(Clone, Copy, Debug, Serialize)]
enum Edge {
    Day(NaiveDate),
    At(DateTime<Utc>),
}

impl<'de> Deserialize<'de> for Edge {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if let Ok(day) = NaiveDate::parse_from_str(&text, "%Y-%m-%d")
            && text.len() == 10
            && (1..=9998).contains(&day.year())
        {
            return Ok(Self::Day(day));
        }
        let time = serde_json::from_value::<Time>(text.into());
        time.map(|time| Self::At(time.0)).map_err(|_| {
            D::Error::custom(
                "must be a day such as 2026-11-23, or a time such as 2026-11-23T09:30:00Z (write + as %2B)",
            )
        })
    }
}

impl Edge {
    fn at(self, zone: Tz) -> DateTime<Utc> {
        match self {
            Self::Day(day) => start_of_day(day, zone),
            Self::At(time) => time,
        }
    }
}

/// First instant of a day. It is not always midnight, which some changes of clocks skip.
fn start_of_day(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    (0..=24)
        .find_map(|quarters| zone.from_local_datetime(&(midnight + TimeDelta::minutes(15 * quarters))).earliest())
        // A day that a zone skipped when it crossed the date line.
        .or_else(|| zone.from_local_datetime(&(midnight + Days::new(1))).earliest())
        .map_or_else(|| midnight.and_utc(), |time| time.to_utc())
}

#[derive(Clone, Copy, Debug)]
struct Zone(Tz);

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map(Self).map_err(|_| D::Error::custom("must be a time zone such as Europe/Berlin (IANA)"))
    }
}

/// A task in the calendar.
#[derive(Serialize, ToSchema)]
pub struct CalendarItem {
    #[serde(flatten)]
    card: Card,
    /// The day of `start_at` in the requested time zone.
    start_date: Option<NaiveDate>,
    /// The day of `due_at` in the requested time zone.
    due_date: Option<NaiveDate>,
}

impl CalendarItem {
    fn new(card: Card, zone: Tz) -> Self {
        let day = |time: DateTime<Utc>| {
            let local = time.with_timezone(&zone).date_naive();
            // Dates have years of four digits, also at either end of the range of times.
            if (1..=9999).contains(&local.year()) { local } else { time.date_naive() }
        };
        Self { start_date: card.fields.start_at.map(day), due_date: card.fields.due_at.map(day), card }
    }
}

/// The tasks whose time, from `start_at` to `due_at` (or the one that they have), overlaps the days from `from` up to,
/// and not including, `to`, ordered by the start of that time. Archived and deleted tasks are not included, nor are those of archived
/// columns and projects.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}/calendar", operation_id = "getCalendar", tag = "projects",
    params(("project_id" = Uuid, Path, description = "the project"), Params, ReadHeaders),
    responses((status = 200, description = "A page of tasks", body = Page<CalendarItem>), (status = 304, description = "Not modified"), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    request: ReadRequest,
    Path(project_id): Path<ProjectId>,
    Query(query): Query<Params>,
) -> Result<ReadResponse, ReadError> {
    let limit = bounded("/limit", query.limit, CALENDAR_TASKS, CALENDAR_TASKS)?;
    let zone = query.tz.map_or(Tz::UTC, |zone| zone.0);
    let (from, to) = (query.from.at(zone), query.to.at(zone));
    if to <= from || to - from > MAX_RANGE {
        return Err(Problem::invalid_field("/to", "must be after `from`, by at most a year").into());
    }
    let list = ListName::new("calendar", project_id.0, &(from, to)).keyset(limit, query.cursor.as_deref())?;
    let (snapshot, member) = request.project(&app, query.min_position, project_id).await?;
    let etag = request.project_etag(&member, &snapshot, "");
    let mut snapshot = match ReadResponse::unchanged(&request, snapshot, &etag).await {
        Ok(not_modified) => return Ok(not_modified),
        Err(snapshot) => snapshot,
    };
    let rows: Vec<(Card, String)> = select_cards!(
        card, row => (card, row.sort_key);
        "SELECT" CARD r#", coalesce(start_at, due_at)::text AS "sort_key!"
            FROM tasks
            WHERE project_id = $1 AND NOT deleted AND NOT archived
              AND column_id <> ALL ((SELECT taskfold_hidden_columns($1))::uuid[])
              AND CASE WHEN due_at IS NULL THEN start_at ELSE due_at END >= $2 AND coalesce(start_at, due_at) < $3
              AND (coalesce(start_at, due_at), task_id) > ($4::text::timestamptz, $5)
            ORDER BY coalesce(start_at, due_at), task_id LIMIT $6
        "#;
        project_id.0,
        from,
        to,
        list.key("-infinity"),
        list.id(),
        list.row_limit(),
    )
    .fetch_all(&mut *snapshot.db)
    .await
    .map_err(bad_cursor_or)?;
    let key = |(card, sort_key): &(Card, String)| (sort_key.clone(), card.fields.id);
    let people = rows.iter().map(|(card, _)| card.fields.people());
    let present = Present::read(&mut snapshot, member.labels(), people).await?;
    let page = list.page(rows, key, |(mut card, _)| {
        card.fields.keep(&present);
        CalendarItem::new(card, zone)
    });
    ReadResponse::tagged_page(&request, snapshot, etag, &page).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_starts_at_its_first_local_time() {
        let start = |day: &str, zone: &str| {
            start_of_day(day.parse().expect("a day"), zone.parse().expect("a zone")).to_rfc3339()
        };
        assert_eq!(start("2026-11-23", "Europe/Berlin"), "2026-11-22T23:00:00+00:00");
        assert_eq!(start("2026-07-01", "Europe/Berlin"), "2026-06-30T22:00:00+00:00");
        // The clocks skipped the hour from midnight to one.
        assert_eq!(start("2018-11-04", "America/Sao_Paulo"), "2018-11-04T03:00:00+00:00");
        // A day that was skipped.
        assert_eq!(start("2011-12-30", "Pacific/Apia"), "2011-12-30T10:00:00+00:00");
    }
}
