use axum::extract::State;
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use taskfold_domain::ids::ProjectId;
use taskfold_web::Problem;
use taskfold_web::problem::ReadProblems;
use taskfold_web::read::{Path, Query};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::http::answer::Answer;
use crate::http::app::App;
use crate::http::error::{ReadError, bad_cursor_or};
use crate::http::page::{ListName, Page, bounded};
use crate::http::reading::{ReadHeaders, Reading};
use crate::http::values::{Position, Time};
use crate::http::view::{Card, card_fields};

const MAX_ITEMS: i64 = 2000;
/// A leap year, and the hour that a change of clocks may add to it.
const LONGEST: TimeDelta = TimeDelta::hours(366 * 24 + 1);

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// The first day (`2026-11-23`), or a time (RFC 3339).
    #[param(value_type = String, example = "2026-11-01")]
    from: Edge,
    /// The day behind the last, which is not shown any more, or a time; at most a year behind `from`.
    #[param(value_type = String, example = "2026-12-01")]
    to: Edge,
    /// The time zone whose days are meant, as in the IANA database; UTC by default.
    #[param(value_type = Option<String>, example = "Europe/Berlin")]
    tz: Option<Zone>,
    /// From 1 to 2,000, which is the default.
    limit: Option<i64>,
    /// Good for the same days.
    cursor: Option<String>,
    /// Answer only with what reflects this position.
    #[param(value_type = Option<u64>)]
    min_position: Option<Position>,
}

/// Where a calendar begins or ends.
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
            Self::Day(day) => beginning(day, zone),
            Self::At(time) => time,
        }
    }
}

/// The first moment of a day: not always midnight, which some changes of clocks leave out.
fn beginning(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    (0..=24)
        .find_map(|quarters| zone.from_local_datetime(&(midnight + TimeDelta::minutes(15 * quarters))).earliest())
        // A day that a place skipped altogether, when it crossed the date line.
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

/// A task on its days.
#[derive(Serialize, ToSchema, sqlx::FromRow)]
pub struct CalendarItem {
    #[sqlx(flatten)]
    #[serde(flatten)]
    card: Card,
    /// The day of `start_at` in the time zone asked for.
    #[sqlx(skip)]
    start_date: Option<NaiveDate>,
    /// The day of `due_at` there.
    #[sqlx(skip)]
    due_date: Option<NaiveDate>,
    #[serde(skip)]
    sort_key: String,
}

impl CalendarItem {
    fn in_zone(mut self, zone: Tz) -> Self {
        let day = |time: DateTime<Utc>| {
            let there = time.with_timezone(&zone).date_naive();
            // A date has a year of four digits, also at either end of time.
            if (1..=9999).contains(&there.year()) { there } else { time.date_naive() }
        };
        self.start_date = self.card.fields.start_at.map(day);
        self.due_date = self.card.fields.due_at.map(day);
        self
    }
}

/// The tasks whose time, from `start_at` to `due_at` or the one of them that they have, meets the days from `from` to before
/// `to`; by the beginning of that time. Archived and deleted tasks are left out.
#[utoipa::path(
    get, path = "/v1/projects/{project_id}/calendar", operation_id = "getCalendar", tag = "projects",
    params(("project_id" = Uuid, Path, description = "the project"), Params, ReadHeaders),
    responses((status = 200, description = "A page of tasks", body = Page<CalendarItem>), (status = 304, description = "As before"), ReadProblems),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    reading: Reading,
    Path(project_id): Path<ProjectId>,
    Query(query): Query<Params>,
) -> Result<Answer, ReadError> {
    let limit = bounded("/limit", query.limit, MAX_ITEMS, MAX_ITEMS)?;
    let zone = query.tz.map_or(Tz::UTC, |zone| zone.0);
    let (from, to) = (query.from.at(zone), query.to.at(zone));
    if to <= from || to - from > LONGEST {
        return Err(Problem::invalid_field("/to", "must be behind `from`, by a year at most").into());
    }
    let list = ListName::new("calendar", project_id.0, &(from, to));
    let after = list.read(query.cursor.as_deref())?;
    let (snapshot, member) = reading.project(&app, query.min_position, project_id).await?;
    let (labels, etag) = (member.labels(), member.tag(&reading, &snapshot, ""));
    let mut snapshot = match Answer::unchanged(&reading, snapshot, &etag).await {
        Ok(answer) => return Ok(answer),
        Err(snapshot) => snapshot,
    };
    let rows: Vec<CalendarItem> = sqlx::query_as(concat!(
        "SELECT ",
        card_fields!(),
        ", coalesce(start_at, due_at)::text AS sort_key FROM tasks \
         WHERE project_id = $1 AND NOT deleted AND NOT archived \
           AND CASE WHEN due_at IS NULL THEN start_at ELSE due_at END >= $2 AND coalesce(start_at, due_at) < $3 \
           AND (coalesce(start_at, due_at), task_id) > ($4::text::timestamptz, $5) \
         ORDER BY coalesce(start_at, due_at), task_id LIMIT $6"
    ))
    .bind(project_id.0)
    .bind(from)
    .bind(to)
    .bind(after.as_ref().map_or("-infinity", |c| &c.key))
    .bind(after.as_ref().map_or(Uuid::nil(), |c| c.id))
    .bind(limit + 1)
    .fetch_all(&mut *snapshot.db)
    .await
    .map_err(bad_cursor_or)?;
    let place = |item: &CalendarItem| (item.sort_key.clone(), item.card.fields.id);
    let page = list.page(rows, limit, place, |mut item| {
        item.card.fields.keep_labels(&labels);
        item.in_zone(zone)
    });
    Answer::tagged_page(&reading, snapshot, etag, &page).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_when_its_clocks_say_so() {
        let begins =
            |day: &str, zone: &str| beginning(day.parse().expect("a day"), zone.parse().expect("a zone")).to_rfc3339();
        assert_eq!(begins("2026-11-23", "Europe/Berlin"), "2026-11-22T23:00:00+00:00");
        assert_eq!(begins("2026-07-01", "Europe/Berlin"), "2026-06-30T22:00:00+00:00");
        // Clocks went from midnight to one.
        assert_eq!(begins("2018-11-04", "America/Sao_Paulo"), "2018-11-04T03:00:00+00:00");
        // A day that was not.
        assert_eq!(begins("2011-12-30", "Pacific/Apia"), "2011-12-30T10:00:00+00:00");
    }
}
