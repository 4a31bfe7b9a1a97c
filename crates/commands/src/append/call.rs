use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection};
use taskfold_domain::task::beside::{Link, LinkKind};
use uuid::Uuid;

use super::known::OfLog;
use super::{Append, Outcome, Recorded, Seen};

/// What the append answers; see `migrations/append.sql`.
#[derive(FromRow)]
struct Answer {
    start: i64,
    now_at: DateTime<Utc>,
    answers: Option<Json<Vec<Outcome>>>,
}

impl Answer {
    fn of_each(self, appends: &[Append]) -> Vec<Outcome> {
        match self.answers {
            Some(Json(answers)) => answers,
            None => {
                appends.iter().zip(offsets(appends)).map(|(append, offset)| self.appended(append, offset)).collect()
            }
        }
    }

    fn appended(&self, append: &Append, offset: i32) -> Outcome {
        let events = append.events.len() as i64;
        let before = self.start + i64::from(offset);
        Outcome::Appended(Recorded {
            first_position: before + 1,
            last_position: before + events,
            version: append.expected_version as i64 + events,
            aggregate_id: append.aggregate,
            created_id: append.created_id,
            created: append.created,
            recorded_at: self.now_at,
        })
    }
}

/// Of each command, how many events the others before it have.
fn offsets(appends: &[Append]) -> impl Iterator<Item = i32> {
    appends.iter().scan(0, |next, append| {
        let offset = *next;
        *next += append.events.len() as i32;
        Some(offset)
    })
}

/// What was there and was decided on.
fn seen(appends: &[Append]) -> HashSet<(&'static str, Uuid, Seen)> {
    let own = |a: &Append| {
        let seen = Seen { version: a.expected_version, command: a.expected_command };
        (a.expected_version > 0).then_some((a.aggregate_type, a.aggregate, seen))
    };
    let guard = |a: &Append| Some(("project", a.project?.0, a.guard?));
    let teams = |a: &'_ Append| a.teams.iter().map(|(team, seen)| ("team", team.0, *seen)).collect::<Vec<_>>();
    appends.iter().flat_map(|append| own(append).into_iter().chain(guard(append)).chain(teams(append))).collect()
}

/// One element a command.
fn each<'a, T>(appends: &'a [Append], get: impl FnMut(&'a Append) -> T) -> Vec<T> {
    appends.iter().map(get).collect()
}

/// What only some commands have, each with the number of its command, counted from 1 as PostgreSQL does.
fn some<'a, T: IntoIterator + 'a>(appends: &'a [Append], get: impl Fn(&'a Append) -> T) -> (Vec<i32>, Vec<T::Item>) {
    (1..).zip(appends).flat_map(|(of, append)| get(append).into_iter().map(move |item| (of, item))).unzip()
}

/// The kind of a link as the append takes it; below zero, of one that is to go.
fn kind(link: Link) -> i16 {
    match link {
        Link::WaitsFor(_) => LinkKind::WaitsFor as i16,
        Link::NoLongerWaitsFor(_) => -(LinkKind::WaitsFor as i16),
        Link::PartOf(_) => LinkKind::PartOf as i16,
    }
}

fn target(link: Link) -> Option<Uuid> {
    match link {
        Link::WaitsFor(task) | Link::NoLongerWaitsFor(task) => Some(task.0),
        Link::PartOf(task) => task.map(|task| task.0),
    }
}

/// Appends commands that have nothing to do with each other, and leaves the line that was waited in.
pub async fn call(
    db: &mut PgConnection,
    appends: &[Append],
    line: Option<i64>,
    log: OfLog,
) -> sqlx::Result<Vec<Outcome>> {
    let seen = seen(appends);
    let (e_of, events) = some(appends, |a| a.events.iter().zip(0_i32..));
    let (p_of, places) = some(appends, |a| &a.place);
    let (g_of, teams) = some(appends, |a| &a.teams);
    let (m_of, empty) = some(appends, |a| a.empty_column);
    let (l_of, links) = some(appends, |a| a.link);
    let (d_of, due) = some(appends, |a| a.due);
    let answer: Answer = sqlx::query_as(
        "SELECT * FROM taskfold_append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, \
         $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43)",
    )
    .bind(each(appends, |a| a.actor.0))
    .bind(each(appends, |a| a.command_id))
    .bind(each(appends, |a| a.fingerprint.as_slice()))
    .bind(each(appends, |a| a.aggregate_type))
    .bind(each(appends, |a| a.aggregate.to_string()))
    .bind(each(appends, |a| a.project.map(|p| p.0)))
    .bind(each(appends, |a| a.expected_version as i64))
    .bind(each(appends, |a| a.guard.map(|g| g.version as i64)))
    .bind(each(appends, |a| a.created_id))
    .bind(each(appends, |a| a.created))
    .bind(each(appends, |a| a.occurred_at))
    .bind(each(appends, |a| a.traceparent.as_deref()))
    .bind(each(appends, |a| a.events.len() as i32))
    .bind(offsets(appends).collect::<Vec<_>>())
    .bind(seen.iter().map(|(kind, _, _)| *kind).collect::<Vec<_>>())
    .bind(seen.iter().map(|(_, id, _)| id.to_string()).collect::<Vec<_>>())
    .bind(seen.iter().map(|(_, _, seen)| seen.version as i64).collect::<Vec<_>>())
    .bind(seen.iter().map(|(_, _, seen)| seen.command).collect::<Vec<_>>())
    .bind(e_of)
    .bind(events.iter().map(|(_, nth)| *nth).collect::<Vec<i32>>())
    .bind(events.iter().map(|(event, _)| event.0.as_str()).collect::<Vec<_>>())
    .bind(events.iter().map(|(event, _)| event.1.as_str()).collect::<Vec<_>>())
    .bind(events.iter().map(|(event, _)| event.2.as_str()).collect::<Vec<_>>())
    .bind(p_of)
    .bind(places.iter().map(|place| place.place.column.0).collect::<Vec<Uuid>>())
    .bind(places.iter().map(|place| place.place.rank.as_str()).collect::<Vec<_>>())
    .bind(places.iter().map(|place| place.place.state as i16).collect::<Vec<_>>())
    .bind(places.iter().map(|place| place.wip_limit.map(|limit| limit as i32)).collect::<Vec<_>>())
    .bind(appends.iter().filter(|a| a.place.is_some() && a.expected_version > 0).count() as i32)
    .bind(g_of)
    .bind(teams.iter().map(|(team, _)| team.to_string()).collect::<Vec<_>>())
    .bind(teams.iter().map(|(_, seen)| seen.version as i64).collect::<Vec<_>>())
    .bind(m_of)
    .bind(empty.iter().map(|column| column.0).collect::<Vec<Uuid>>())
    .bind(l_of)
    .bind(links.iter().copied().map(kind).collect::<Vec<i16>>())
    .bind(links.iter().copied().map(target).collect::<Vec<_>>())
    .bind(d_of)
    .bind(due)
    .bind(line)
    .bind(log.id)
    .bind(log.last.map(|(position, _)| position))
    .bind(log.last.map(|(_, command)| command))
    .fetch_one(db)
    .await?;
    Ok(answer.of_each(appends))
}
