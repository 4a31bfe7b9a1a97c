//! Verdict on a fault: its effects, and whether any event was lost, doubled or skipped, a request hung, or a failure
//! was not reported.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use sqlx::PgPool;
use tokio::time::{Instant, sleep};

use super::fault::{Fault, How, Inflicted, Pair, Target};
use super::load::{Followed, Observed, Outcome, ReadinessReport, Record, Reply, World, position_of};
use super::system::System;

/// The deadline of a request, plus a margin for a busy machine.
const ANSWERED: Duration = Duration::from_secs(9);
/// Readiness must have reported a fault of this duration: longer than its timeout and its tolerance.
const NOTICED: Duration = Duration::from_secs(9);
const NOTICED_LATE: Duration = Duration::from_secs(14);
/// Recovery time of the whole system after the end of the cause, including a margin for a busy machine.
const RECOVERED: Duration = Duration::from_secs(20);
/// Recovery time for clients with a dead connection, whose timeouts are longer than those of the servers.
const RECOVERED_CLIENTS: Duration = Duration::from_secs(45);
/// Time limit for waiting, however late the recovery is.
const PATIENCE: Duration = Duration::from_secs(120);

/// Recovery times, from the end of the cause: until a command was done, a read was answered, and that command's event
/// was on both live streams, and on NATS.
#[derive(Default)]
struct Back {
    commands: Option<Duration>,
    uploads: Option<Duration>,
    reads: Option<Duration>,
    live: Option<Duration>,
    messages: Option<Duration>,
}

pub struct Verdict {
    fault: Fault,
    commands: Answers,
    uploads: Answers,
    reads: Answers,
    health: String,
    back: Back,
    /// Violations that were found.
    pub wrong: Vec<String>,
}

/// Responses between the beginning of a fault and the recovery.
struct Answers {
    done: usize,
    refused: usize,
    unanswered: usize,
    slowest: Duration,
}

impl Answers {
    fn of(replies: &[Reply]) -> Self {
        let count = |wanted: fn(&Outcome) -> bool| replies.iter().filter(|reply| wanted(&reply.outcome)).count();
        let answered = replies.iter().filter(|reply| !matches!(reply.outcome, Outcome::None));
        Self {
            done: count(|outcome| matches!(outcome, Outcome::Done(_))),
            refused: count(|outcome| matches!(outcome, Outcome::Refused)),
            unanswered: count(|outcome| matches!(outcome, Outcome::None)),
            slowest: answered.map(|reply| reply.answered - reply.sent).max().unwrap_or_default(),
        }
    }
}

/// Waits until everything works again, and evaluates the observations.
pub async fn of(fault: Fault, inflicted: Inflicted, system: &System, world: &World, record: &Record) -> Verdict {
    let until = Instant::now() + PATIENCE;
    let back = loop {
        let back = record.with(|observed| back(observed, inflicted.ended));
        if back.longest().is_some() || Instant::now() > until {
            break back;
        }
        sleep(Duration::from_millis(50)).await;
    };
    let recovered = back.longest().map_or_else(Instant::now, |longest| inflicted.ended + longest);
    let mut verdict = record.with(|observed| judge(fault, &inflicted, recovered, back, observed));
    if let Err(wrong) = complete(fault, &inflicted, system, world, record).await {
        verdict.wrong.push(wrong);
    }
    let (clean, output) = system.run("verify").await;
    if !clean {
        verdict.wrong.push(format!("verify: {output}"));
    }
    verdict
}

impl Back {
    fn all(&self) -> [Option<Duration>; 5] {
        [self.commands, self.uploads, self.reads, self.live, self.messages]
    }

    /// The longest recovery time; `None` while any is missing.
    fn longest(&self) -> Option<Duration> {
        self.all().into_iter().try_fold(Duration::ZERO, |longest, after| Some(longest.max(after?)))
    }
}

fn back(observed: &Observed, ended: Instant) -> Back {
    let first = |replies: &[Reply]| {
        let later = replies.iter().rev().take_while(|reply| reply.answered > ended);
        let done = later.filter_map(|reply| match reply.outcome {
            Outcome::Done(position) => Some((reply.answered, position)),
            _ => None,
        });
        done.last()
    };
    let after = |at: Instant| at.saturating_duration_since(ended);
    let [uploads, reads] = [&observed.uploads, &observed.reads].map(|replies| first(replies).map(|(at, _)| after(at)));
    let Some((command, position)) = first(&observed.commands) else {
        return Back { uploads, reads, ..Back::default() };
    };
    let reached = |followed: &Followed| {
        let has = |id: &str| position_of(id).is_none_or(|at| at >= position);
        let later = followed.received.iter().rev().take_while(|(id, _)| has(id));
        later.filter(|(id, _)| position_of(id).is_some()).last().map(|(_, at)| after(*at))
    };
    let live = reached(&observed.project).zip(reached(&observed.person)).map(|(one, other)| one.max(other));
    Back { commands: Some(after(command)), uploads, reads, live, messages: reached(&observed.messages) }
}

fn judge(fault: Fault, inflicted: &Inflicted, recovered: Instant, back: Back, observed: &Observed) -> Verdict {
    let mut wrong = Vec::new();
    let during = |replies: &[Reply]| -> Vec<Reply> {
        let all = replies.iter().filter(|reply| reply.answered >= inflicted.began && reply.sent <= recovered);
        all.cloned().collect()
    };
    let [commands, uploads, reads] =
        [&observed.commands, &observed.uploads, &observed.reads].map(|replies| during(replies));
    let restored = (fault.target, fault.how) == (Target::Postgres, How::Restored);
    for (what, replies) in [("commands", &commands), ("uploads", &uploads), ("reads", &reads)] {
        let reachable = !fault.keeps_from_clients(what);
        for reply in replies {
            let took = reply.answered - reply.sent;
            match &reply.outcome {
                // Published events are lost, until the stream sends the reset.
                Outcome::Behind(_) if restored => {}
                Outcome::Behind(answer) | Outcome::Wrong(answer) => wrong.push(format!("{what}: answered {answer}")),
                Outcome::None if reachable => wrong.push(format!("{what}: not answered for {took:.1?}")),
                Outcome::Done(_) | Outcome::Refused if took > ANSWERED && reachable => {
                    wrong.push(format!("{what}: answered after {took:.1?}"));
                }
                Outcome::Done(_) | Outcome::Refused | Outcome::None => {}
            }
        }
    }
    let end = recovered.max(inflicted.ended);
    let done = |replies: &[Reply]| -> Vec<Instant> {
        replies.iter().filter(|r| matches!(r.outcome, Outcome::Done(_))).map(|r| r.answered).collect()
    };
    let times = |followed: &Followed| followed.received.iter().map(|(_, at)| *at).collect::<Vec<_>>();
    let (frames, messages) = (times(&observed.project), times(&observed.messages));
    let commands_done = done(&observed.commands);
    let watched = [
        ("commands", commands_done.clone(), &observed.health_of_commands, "commands", NOTICED),
        ("uploads", done(&observed.uploads), &observed.health_of_commands, "commands", NOTICED),
        ("reads", done(&observed.reads), &observed.health_of_reads, "reads", NOTICED),
        ("live streams", frames, &observed.health_of_reads, "reads", NOTICED_LATE),
        ("NATS", messages, &observed.health_of_projectors, "publication", NOTICED_LATE),
    ];
    for (what, times, health, condition, limit) in watched {
        let Some((from, to)) = longest_pause(&times, inflicted.began, end) else { continue };
        let noticed = reports_between(health, from, to).any(|report| report.condition(condition) != "ok");
        // Without completed commands there is nothing to receive.
        let due = what != "live streams" && what != "NATS"
            || commands_done.iter().any(|at| (from..).contains(at) && *at + limit < to);
        if to - from > limit && due && !noticed && !fault.keeps_from_clients(what) {
            wrong.push(format!("no {what} for {:.1?}, and readiness reported ok", to - from));
        }
    }
    let of_clients = ["commands", "reads"].into_iter().any(|what| fault.keeps_from_clients(what));
    let limit = if of_clients { RECOVERED_CLIENTS } else { RECOVERED };
    match back.longest() {
        None => wrong.push(format!("not back after {PATIENCE:?}")),
        Some(longest) if longest > limit => wrong.push(format!("back after {longest:.1?}")),
        Some(_) => {}
    }
    let health = [
        ("commands", &observed.health_of_commands),
        ("reads", &observed.health_of_reads),
        ("publication", &observed.health_of_projectors),
    ];
    let health =
        health.map(|(condition, health)| worst(condition, reports_between(health, inflicted.began, recovered)));
    wrong.dedup();
    Verdict {
        fault,
        commands: Answers::of(&commands),
        uploads: Answers::of(&uploads),
        reads: Answers::of(&reads),
        health: health.join("; "),
        back,
        wrong,
    }
}

impl Fault {
    /// Returns whether these servers themselves, or the network to them, are unavailable: clients get no response, nor
    /// do the health checks of a load balancer.
    fn keeps_from_clients(self, what: &str) -> bool {
        match self.target {
            Target::CommandApi | Target::Network(Pair::ClientsCommandApi) => matches!(what, "commands" | "uploads"),
            Target::QueryApi | Target::Network(Pair::ClientsQueryApi) => matches!(what, "reads" | "live streams"),
            Target::Postgres | Target::Nats | Target::Attachments | Target::Projector | Target::Network(_) => false,
        }
    }
}

/// The longest interval between two of these times, or the ends.
fn longest_pause(times: &[Instant], began: Instant, ended: Instant) -> Option<(Instant, Instant)> {
    let inside = times.iter().copied().filter(|at| (began..ended).contains(at));
    let mut last = began;
    inside.chain([ended]).map(|at| (std::mem::replace(&mut last, at), at)).max_by_key(|(from, to)| *to - *from)
}

fn reports_between(health: &[ReadinessReport], from: Instant, to: Instant) -> impl Iterator<Item = &ReadinessReport> {
    health.iter().filter(move |report| (from..=to).contains(&report.at))
}

impl ReadinessReport {
    /// Reported state of a service, or of a dependency.
    fn condition(&self, service: &str) -> &str {
        match &self.ready {
            None => "no answer",
            Some(ready) => {
                let dependency = || ready["dependencies"].as_array()?.iter().find(|one| one["name"] == service);
                let state = ready[service].as_str().or_else(|| dependency()?["state"].as_str());
                state.unwrap_or("no answer")
            }
        }
    }
}

/// The worst reported state of a service, with the dependencies named in it.
fn worst<'a>(service: &str, reports: impl Iterator<Item = &'a ReadinessReport>) -> String {
    const ORDER: [&str; 4] = ["ok", "degraded", "no answer", "down"];
    let rank = |condition: &str| ORDER.iter().position(|one| *one == condition);
    let reports: Vec<&ReadinessReport> = reports.collect();
    let worst =
        reports.iter().map(|report| report.condition(service)).max_by_key(|condition| rank(condition)).unwrap_or("ok");
    let mut causes: Vec<&str> = reports
        .iter()
        .filter_map(|report| report.ready.as_ref()?["dependencies"].as_array())
        .flatten()
        .filter(|dependency| dependency["state"] != "ok")
        .filter_map(|dependency| dependency["name"].as_str())
        .collect();
    causes.sort_unstable();
    causes.dedup();
    let causes = if causes.is_empty() || worst == "ok" { String::new() } else { format!(" ({})", causes.join(", ")) };
    format!("{service} {worst}{causes}")
}

#[derive(sqlx::FromRow)]
struct Logged {
    position: i64,
    command_id: String,
    of_project: bool,
    notified: bool,
}

/// Checks that every follower has the whole log, once and in order, and the log every acknowledged command.
async fn complete(
    fault: Fault,
    inflicted: &Inflicted,
    system: &System,
    world: &World,
    record: &Record,
) -> Result<(), String> {
    let logged = logged(&system.owner, world).await.map_err(|error| format!("reading the log: {error}"))?;
    let head = logged.last().map(|event| event.position).unwrap_or_default();
    let until = Instant::now() + PATIENCE;
    while !record.with(|observed| observed.everybody_has(head)) {
        if Instant::now() > until {
            return Err(format!("a follower does not get to {head}"));
        }
        sleep(Duration::from_millis(50)).await;
    }
    record.with(|observed| {
        if (fault.target, fault.how) == (Target::Postgres, How::Restored) {
            observed.forget_what_was_lost(&logged, inflicted.ended)?;
        } else if [observed.project.resets, observed.person.resets] != [0, 0] {
            return Err("a follower received a reset".to_owned());
        }
        for followed in [&mut observed.project, &mut observed.person, &mut observed.messages] {
            followed.resets = 0;
        }
        acknowledged(&observed.acknowledged, &logged, head)?;
        same("the project's stream", &observed.project, &ids(&logged, false))?;
        same("the person's stream", &observed.person, &ids(&logged, true))?;
        same("NATS", &observed.messages, &(1..=head).map(|n| n.to_string()).collect::<Vec<_>>())
    })
}

/// Ids of the frames for these events on a project's stream, with or without those for the person.
fn ids(logged: &[Logged], person: bool) -> Vec<String> {
    let of_project = logged.iter().filter(|event| event.of_project);
    let of_event = |event: &Logged| {
        let notification = (person && event.notified).then(|| format!("{}.5", event.position - 1));
        notification.into_iter().chain([event.position.to_string()]).collect::<Vec<_>>()
    };
    of_project.flat_map(of_event).collect()
}

async fn logged(owner: &PgPool, world: &World) -> sqlx::Result<Vec<Logged>> {
    sqlx::query_as(
        "SELECT position, command_id::text, project_id::text IS NOT DISTINCT FROM $1 AS of_project, \
             event_type = 'task.created' AND payload::text LIKE '%' || $2 || '%' AS notified \
         FROM events ORDER BY position",
    )
    .bind(&world.project)
    .bind(&world.bo[0].user_id)
    .fetch_all(owner)
    .await
}

fn acknowledged(acknowledged: &[(String, i64)], logged: &[Logged], head: i64) -> Result<(), String> {
    let mut positions: HashMap<&str, Vec<i64>> = HashMap::new();
    for event in logged {
        positions.entry(&event.command_id).or_default().push(event.position);
    }
    for (key, position) in acknowledged.iter().filter(|(_, position)| *position <= head) {
        if positions.get(key.as_str()) != Some(&vec![*position]) {
            return Err(format!(
                "command {key} was acknowledged at {position}, and is at {:?}",
                positions.get(key.as_str())
            ));
        }
    }
    Ok(())
}

/// Checks that the follower received exactly these first, in this order.
fn same(who: &str, followed: &Followed, expected: &[String]) -> Result<(), String> {
    let without_epoch = |id: &String| id.split('-').next().unwrap_or_default().to_owned();
    let received: Vec<String> = followed.received.iter().map(|(id, _)| without_epoch(id)).collect();
    let differs = received.iter().zip(expected).position(|(received, expected)| received != expected);
    match differs {
        Some(n) => {
            let around = |ids: &[String]| ids[n.saturating_sub(1)..(n + 3).min(ids.len())].join(", ");
            Err(format!("{who} received {} instead of {}", around(&received), around(expected)))
        }
        None if received.len() < expected.len() => Err(format!("{who} lacks {}", expected[received.len()])),
        None => Ok(()),
    }
}

impl Observed {
    /// Events that are not in the backup are lost with the restore, and every follower must have received a reset.
    fn forget_what_was_lost(&mut self, logged: &[Logged], adopted: Instant) -> Result<(), String> {
        let positions: HashMap<&str, i64> = logged.iter().map(|e| (e.command_id.as_str(), e.position)).collect();
        let lost = |reply: &Reply| match reply.outcome {
            Outcome::Done(position) if reply.answered < adopted => Some(position),
            _ => None,
        };
        let highest = self.commands.iter().filter_map(lost).max().unwrap_or_default();
        let before = self.acknowledged.len();
        self.acknowledged
            .retain(|(key, position)| *position > highest || positions.get(key.as_str()) == Some(position));
        let lost = before - self.acknowledged.len();
        let resets = [self.project.resets, self.person.resets, self.messages.resets];
        if lost == 0 || resets.contains(&0) {
            return Err(format!("{lost} commands lost, resets {resets:?}"));
        }
        Ok(())
    }

    fn everybody_has(&self, head: i64) -> bool {
        [&self.project, &self.person, &self.messages]
            .into_iter()
            .all(|followed| followed.received.last().and_then(|(id, _)| position_of(id)).is_some_and(|at| at >= head))
    }
}

pub const TABLE_HEAD: &str = "| fault | commands: done, refused, slowest answer | uploads | reads | readiness reported | back after: commands, uploads, reads, live, NATS |\n|---|---|---|---|---|---|";

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, commands, uploads, reads, health, back, .. } = self;
        let back =
            back.all().map(|after| after.map_or_else(|| "never".to_owned(), |a| format!("{:.1} s", a.as_secs_f64())));
        let back = back.join(", ");
        write!(f, "| {fault} | {commands} | {uploads} | {reads} | {health} | {back} |")
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, refused, unanswered, slowest } = self;
        write!(f, "{done}, {refused}, {:.1} s", slowest.as_secs_f64())?;
        if *unanswered > 0 {
            write!(f, "; {unanswered} without an answer")?;
        }
        Ok(())
    }
}
