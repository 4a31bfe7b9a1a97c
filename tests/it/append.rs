//! The append of the log, called as the committer calls it, with combinations of commands that the committer never
//! sends in one call on purpose.

use serde_json::{Value, json};
use sqlx::PgPool;
use taskfold_event_log::{FORKED, INCOMPLETE, SUSPENDED};
use uuid::Uuid;

use crate::harness::{TestEnvironment, new_id};

/// A log with a project at version 1, whose only column may hold two tasks.
struct Log {
    db: PgPool,
    project: Uuid,
    column: Uuid,
    /// The last event known to the caller: its position and command.
    seen: Option<(i64, Uuid)>,
}

impl Log {
    async fn new(environment: &TestEnvironment) -> Self {
        let db = PgPool::connect(&environment.database_url).await.unwrap();
        let log = Self { db, project: new_id(), column: new_id(), seen: None };
        let (start, answers) = log.append(&[json!({"type": "project", "aggregate": log.project})]).await.unwrap();
        assert_eq!((start, answers), (0, None));
        log
    }

    /// Appends commands, each with one event unless it says otherwise. Returns the position before the call, and the
    /// outcomes.
    async fn append(&self, commands: &[Value]) -> sqlx::Result<(i64, Option<Value>)> {
        let mut expected: Vec<Value> = Vec::new();
        let mut add = |version: Value| {
            let same = |other: &Value| other["aggregate_id"] == version["aggregate_id"];
            if !expected.iter().any(same) {
                expected.push(version);
            }
        };
        let mut commands: Vec<Value> = commands.iter().map(|command| self.with_defaults(command)).collect();
        let mut events: Vec<Value> = Vec::new();
        let ids: Vec<Value> = commands.iter().map(|command| command["aggregate_id"].clone()).collect();
        let firsts: Vec<Value> = commands.iter().map(|command| command["expected_version"].clone()).collect();
        for (number, command) in (1..).zip(&mut commands) {
            command["events_before"] = json!(events.len());
            let first = ids.iter().position(|id| *id == command["aggregate_id"]).unwrap();
            command["is_new"] = json!(firsts[first] == 0);
            command["is_last"] = json!(!ids[number..].contains(&command["aggregate_id"]));
            let event = |nth| {
                json!({"command": number, "nth": nth, "event_type": "made", "event_version": "1", "payload": "{}",
                    "metadata": "{}", "words": []})
            };
            events.extend((1..=command["event_count"].as_u64().unwrap()).map(event));
        }
        for (number, command) in commands.iter().enumerate() {
            let (kind, id) = (&command["aggregate_type"], &command["aggregate_id"]);
            // As it was before the call, if it existed.
            if command["expected_version"] != 0 && !ids[..number].contains(id) {
                add(json!({"aggregate_type": kind, "aggregate_id": id, "version": command["expected_version"]}));
            }
            command["guards"].as_array().unwrap().iter().cloned().for_each(&mut add);
        }
        sqlx::query_as(
            "SELECT a.start, a.outcomes FROM taskfold_append_v2( \
                 commands => (SELECT array_agg(c) FROM jsonb_populate_recordset(NULL::taskfold_command, $1) AS c), \
                 events => (SELECT coalesce(array_agg(e), '{}') FROM jsonb_populate_recordset(NULL::taskfold_event, $2) AS e), \
                 expected => (SELECT array_agg(v) FROM jsonb_populate_recordset(NULL::taskfold_version, $3) AS v), \
                 log_id => (SELECT log_id FROM log_identities), seen_position => $4, seen_command => $5) AS a",
        )
        .bind(Value::from(commands))
        .bind(Value::from(events))
        .bind(Value::from(expected))
        .bind(self.seen.map(|(position, _)| position))
        .bind(self.seen.map(|(_, command)| command))
        .fetch_one(&self.db)
        .await
    }

    /// Completes a command from the fields that a test gives: `command`, `fingerprint`, `type`, `aggregate`,
    /// `expected`, `guard`, `events` (their number), `rank`, `wip`.
    fn with_defaults(&self, command: &Value) -> Value {
        let given = |name: &str, otherwise: Value| command.get(name).cloned().unwrap_or(otherwise);
        let kind = given("type", json!("task"));
        let guard = given("guard", if kind == "task" { json!(1) } else { Value::Null });
        let guards = guard
            .as_i64()
            .map(|version| json!({"aggregate_type": "project", "aggregate_id": self.project, "version": version}));
        let checks = command.get("wip").map(|limit| json!({"kind": "wip_limit", "id": self.column, "number": limit}));
        let placement = command.get("rank").map(|rank| json!({"column_id": self.column, "rank": rank, "state": 0}));
        let expected = given("expected", json!(0));
        json!({
            "actor_id": self.project, "command_id": given("command", json!(new_id())),
            "fingerprint": given("fingerprint", json!("asked")),
            "aggregate_type": kind, "aggregate_id": given("aggregate", json!(new_id())), "project_id": self.project,
            "expected_version": expected, "created": expected == 0,
            "guards": guards.into_iter().collect::<Vec<_>>(), "checks": checks.into_iter().collect::<Vec<_>>(),
            "event_count": given("events", json!(1)), "placement": placement, "sets_reminder": false,
        })
    }

    /// The positions and versions of an aggregate's events.
    async fn events_of(&self, aggregate: Uuid) -> Vec<(i64, i64)> {
        sqlx::query_as("SELECT position, sequence FROM events WHERE aggregate_id = $1 ORDER BY sequence")
            .bind(aggregate.to_string())
            .fetch_all(&self.db)
            .await
            .unwrap()
    }

    async fn assert_dense(&self, last: i64) {
        let (count, greatest, head): (i64, i64, i64) =
            sqlx::query_as("SELECT count(*), max(e.position), (SELECT position FROM log_head) FROM events e")
                .fetch_one(&self.db)
                .await
                .unwrap();
        assert_eq!((count, greatest, head), (last, last, last));
    }
}

/// Outcome, first and last position, and version of each command.
fn results(answers: Option<Value>) -> Vec<(String, i64, i64, i64)> {
    let result = |answer: &Value| {
        let number = |name: &str| answer[name].as_i64().unwrap();
        let outcome = answer["outcome"].as_str().unwrap().to_owned();
        (outcome, number("first_position"), number("last_position"), number("version"))
    };
    answers.unwrap().as_array().unwrap().iter().map(result).collect()
}

fn outcomes(answers: Option<Value>) -> Vec<String> {
    results(answers).into_iter().map(|(outcome, ..)| outcome).collect()
}

#[tokio::test]
async fn a_batch_refuses_conflicts_and_appends_the_rest_without_gaps() {
    let environment = TestEnvironment::new().await;
    let log = Log::new(&environment).await;
    let (existing, sent) = (new_id(), new_id());
    let first = json!({"aggregate": existing, "command": sent, "rank": "m", "events": 2});
    assert_eq!(log.append(&[first]).await.unwrap(), (1, None));

    let (made, edited) = (new_id(), new_id());
    let (_, answers) = log
        .append(&[
            json!({"aggregate": made, "rank": "a", "events": 2}),
            json!({"command": sent, "rank": "b"}),
            json!({"command": sent, "fingerprint": "something else"}),
            json!({"aggregate": existing, "expected": 1}),
            json!({"rank": "m"}),
            json!({"rank": "d", "wip": 1}),
            json!({"aggregate": edited}),
        ])
        .await
        .unwrap();
    let expected = [
        ("appended", 4, 5, 2),
        ("duplicate", 2, 3, 2),
        ("reused", 2, 3, 2),
        ("conflict", 4, 3, 2),
        ("rank", 1, 0, 0),
        ("wip", 1, 0, 0),
        ("appended", 6, 6, 1),
    ];
    assert_eq!(
        results(answers),
        expected.map(|(outcome, first, last, version)| (outcome.to_owned(), first, last, version))
    );
    assert_eq!(log.events_of(made).await, [(4, 1), (5, 2)]);
    assert_eq!(log.events_of(existing).await, [(2, 1), (3, 2)]);
    log.assert_dense(6).await;
    // The failed attempt to append all leaves nothing behind.
    assert_eq!(log.append(&[json!({"rank": "b"})]).await.unwrap(), (6, None));
}

#[tokio::test]
async fn only_decisions_on_an_outdated_project_are_refused() {
    let environment = TestEnvironment::new().await;
    let log = Log::new(&environment).await;
    let project = json!({"type": "project", "aggregate": log.project, "expected": 1});
    assert_eq!(log.append(&[project]).await.unwrap(), (1, None));
    let (_, answers) = log.append(&[json!({"guard": 1}), json!({"guard": 2})]).await.unwrap();
    assert_eq!(outcomes(answers), ["guard", "appended"]);
    log.assert_dense(3).await;
}

#[tokio::test]
async fn a_command_without_events_is_checked_and_its_key_is_stored() {
    let environment = TestEnvironment::new().await;
    let log = Log::new(&environment).await;
    let task = new_id();
    log.append(&[json!({"aggregate": task}), json!({})]).await.unwrap();
    let nothing = json!({"aggregate": task, "expected": 1, "events": 0, "command": new_id()});
    let (_, answers) = log.append(std::slice::from_ref(&nothing)).await.unwrap();
    assert_eq!(results(answers), [("appended".to_owned(), 3, 2, 1)]);
    let (_, answers) = log.append(&[nothing]).await.unwrap();
    assert_eq!(results(answers), [("duplicate".to_owned(), 3, 2, 1)]);
    let (_, answers) = log.append(&[json!({"aggregate": task, "expected": 0, "events": 0})]).await.unwrap();
    assert_eq!(outcomes(answers), ["conflict"]);
    log.assert_dense(3).await;
}

/// A failover to a server that lacks the last transactions of the previous one: the state cached by processes is ahead
/// of the log.
#[tokio::test]
async fn a_decision_on_a_version_ahead_of_the_log_is_refused_without_a_gap() {
    let environment = TestEnvironment::new().await;
    let log = Log::new(&environment).await;
    let task = new_id();
    log.append(&[json!({"aggregate": task})]).await.unwrap();
    for ahead in [json!({"aggregate": task, "expected": 5}), json!({"guard": 2})] {
        assert_eq!(refusal(log.append(&[ahead, json!({})]).await), FORKED);
    }
    assert_eq!(log.events_of(task).await, [(2, 1)]);
    log.assert_dense(2).await;
}

fn refusal(refused: sqlx::Result<(i64, Option<Value>)>) -> String {
    refused.unwrap_err().as_database_error().unwrap().code().unwrap().into_owned()
}

#[tokio::test]
async fn a_decision_on_an_event_that_the_log_does_not_have_is_refused() {
    let environment = TestEnvironment::new().await;
    let mut log = Log::new(&environment).await;
    let command = new_id();
    log.append(&[json!({"command": command})]).await.unwrap();
    log.seen = Some((2, command));
    log.append(&[json!({})]).await.unwrap();
    for other in [(2, new_id()), (7, command)] {
        log.seen = Some(other);
        assert_eq!(refusal(log.append(&[json!({})]).await), FORKED, "{other:?}");
    }
    log.seen = None;
    sqlx::query("SELECT taskfold_suspend_log('a test')").execute(&log.db).await.unwrap();
    assert_eq!(refusal(log.append(&[json!({})]).await), SUSPENDED);
    log.assert_dense(3).await;
}

#[tokio::test]
async fn commands_that_conflict_within_a_batch_fail_the_batch() {
    let environment = TestEnvironment::new().await;
    let log = Log::new(&environment).await;
    let same = new_id();
    let both = [json!({"command": same}), json!({"command": same, "rank": "x"})];
    assert!(log.append(&both).await.is_err());
    assert!(log.append(&[json!({"rank": "x"}), json!({"rank": "x"})]).await.is_err());
    // No command of a removed member is appended.
    let project = json!({"type": "project", "aggregate": log.project, "expected": 1});
    let error = log.append(&[project.clone(), json!({"guard": 1})]).await.unwrap_err();
    assert!(error.to_string().contains("decided on it"), "{error}");
    assert_eq!(log.append(&[project, json!({"guard": null})]).await.unwrap(), (1, None));
    log.assert_dense(3).await;
}

#[tokio::test]
async fn commands_on_one_aggregate_are_appended_in_order() {
    let environment = TestEnvironment::new().await;
    let log = Log::new(&environment).await;
    let (task, other) = (new_id(), new_id());
    let nth = |expected: u64| json!({"aggregate": task, "expected": expected, "rank": format!("r{expected}")});
    let call = [nth(0), json!({"aggregate": other, "events": 2}), nth(1), nth(2)];
    assert_eq!(log.append(&call).await.unwrap(), (1, None));
    assert_eq!(log.events_of(task).await, [(2, 1), (5, 2), (6, 3)]);
    assert_eq!(log.events_of(other).await, [(3, 1), (4, 2)]);
    let rank: String = sqlx::query_scalar("SELECT rank FROM task_places WHERE task_id = $1")
        .bind(task)
        .fetch_one(&log.db)
        .await
        .unwrap();
    assert_eq!(rank, "r2", "the last placement counts");

    // After a refused command, later commands on the same aggregate are conflicts; those on other aggregates are
    // appended.
    let full = json!({"aggregate": task, "expected": 3, "rank": "z", "wip": 0});
    let call = [full, nth(4), json!({"aggregate": other, "expected": 2}), json!({"aggregate": other, "expected": 3})];
    let (_, answers) = log.append(&call).await.unwrap();
    assert_eq!(outcomes(answers), ["wip", "conflict", "appended", "appended"]);
    assert_eq!(log.events_of(other).await, [(3, 1), (4, 2), (7, 3), (8, 4)]);
    log.assert_dense(8).await;
}

#[tokio::test]
async fn only_one_of_two_creations_of_an_aggregate_is_appended() {
    let environment = TestEnvironment::new().await;
    let log = Log::new(&environment).await;
    let task = new_id();
    let (_, answers) = log.append(&[json!({"aggregate": task}), json!({"aggregate": task})]).await.unwrap();
    assert_eq!(outcomes(answers), ["appended", "conflict"]);
    let (_, answers) = log.append(&[json!({"aggregate": task}), json!({})]).await.unwrap();
    assert_eq!(outcomes(answers), ["conflict", "appended"]);
    log.assert_dense(3).await;
}

/// A command behind a repeated one was decided on the effects of the repetition, which may differ from those in the log.
#[tokio::test]
async fn a_command_behind_a_repeated_one_on_its_aggregate_is_a_conflict() {
    let environment = TestEnvironment::new().await;
    let log = Log::new(&environment).await;
    let (task, first) = (new_id(), json!({"aggregate": new_id(), "command": new_id(), "rank": "m"}));
    log.append(&[first.clone(), json!({"aggregate": task})]).await.unwrap();
    let again = json!({"rank": "n", "aggregate": first["aggregate"], "command": first["command"]});
    let behind = json!({"aggregate": first["aggregate"], "expected": 1});
    let (_, answers) = log.append(&[again, behind, json!({"aggregate": task, "expected": 1})]).await.unwrap();
    assert_eq!(outcomes(answers), ["duplicate", "conflict", "appended"]);
    let rank: String =
        sqlx::query_scalar("SELECT rank FROM task_places WHERE rank <> ''").fetch_one(&log.db).await.unwrap();
    assert_eq!(rank, "m");
    log.assert_dense(4).await;
}

#[tokio::test]
async fn a_command_that_is_in_the_log_and_not_in_its_side_table_is_not_decided_again() {
    let environment = TestEnvironment::new().await;
    let log = Log::new(&environment).await;
    let creation = json!({"aggregate": new_id(), "command": new_id()});
    log.append(std::slice::from_ref(&creation)).await.unwrap();
    let edit = json!({"aggregate": creation["aggregate"], "command": new_id(), "expected": 1});
    sqlx::query("DELETE FROM commands").execute(&log.db).await.unwrap();
    assert_eq!(refusal(log.append(std::slice::from_ref(&creation)).await), INCOMPLETE);
    log.append(std::slice::from_ref(&edit)).await.unwrap();
    sqlx::query("DELETE FROM commands").execute(&log.db).await.unwrap();
    assert_eq!(refusal(log.append(std::slice::from_ref(&edit)).await), INCOMPLETE);
    // Sent again by a process that knows its event: the expected version is the current one.
    let again = json!({"aggregate": edit["aggregate"], "command": edit["command"], "expected": 2});
    assert_eq!(refusal(log.append(&[again]).await), INCOMPLETE);
    log.assert_dense(3).await;
}
