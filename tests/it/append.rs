//! The append of the log, called as the committer calls it, with commands side by side that it never has in one call by intention.

use serde_json::{Value, json};
use sqlx::PgPool;
use taskfold_event_log::clock::new_id;
use taskfold_event_log::{FORKED, SUSPENDED};
use uuid::Uuid;

use crate::harness::Place;

/// Of a project at version 1, whose one column may hold two tasks.
struct Log {
    db: PgPool,
    project: Uuid,
    column: Uuid,
    /// The last event that was seen: its position and command.
    seen: Option<(i64, Uuid)>,
}

impl Log {
    async fn new(place: &Place) -> Self {
        let db = PgPool::connect(&place.database_url).await.unwrap();
        let log = Self { db, project: new_id(), column: new_id(), seen: None };
        let (start, answers) = log.append(&[json!({"type": "project", "aggregate": log.project})]).await.unwrap();
        assert_eq!((start, answers), (0, None));
        log
    }

    /// Commands, each with one event where it says nothing else; where the log was, and the answers.
    async fn append(&self, commands: &[Value]) -> sqlx::Result<(i64, Option<Value>)> {
        let commands: Vec<Value> = commands.iter().map(|command| self.whole(command)).collect();
        sqlx::query_as(
            "WITH c AS (SELECT * FROM ROWS FROM (jsonb_to_recordset($1) AS ( \
                 command uuid, fingerprint text, type text, aggregate text, expected bigint, guard bigint, events integer, \
                 rank text, wip integer)) WITH ORDINALITY AS c (command, fingerprint, type, aggregate, expected, guard, events, rank, wip, n)), \
             every AS (SELECT array_agg($2 ORDER BY n) AS actor, array_agg(command ORDER BY n) AS command, \
                 array_agg(fingerprint::bytea ORDER BY n) AS fingerprint, array_agg(type ORDER BY n) AS type, \
                 array_agg(aggregate ORDER BY n) AS aggregate, array_agg($2 ORDER BY n) AS project, \
                 array_agg(expected ORDER BY n) AS expected, array_agg(guard ORDER BY n) AS guard, \
                 array_agg(NULL::uuid) AS created_id, array_agg(expected = 0 ORDER BY n) AS created, \
                 array_agg(NULL::timestamptz) AS occurred, array_agg(NULL::text) AS trace, \
                 array_agg(events ORDER BY n) AS events FROM c), \
             offsets AS (SELECT array_agg(before::integer ORDER BY n) AS before \
                 FROM (SELECT n, sum(events) OVER (ORDER BY n) - events AS before FROM c) AS o), \
             seen AS (SELECT array_agg(type) AS type, array_agg(id) AS id, array_agg(version) AS version, array_agg(NULL::uuid) AS command FROM ( \
                 SELECT type, aggregate, expected FROM c WHERE expected > 0 \
                 UNION SELECT 'project', $2::text, guard FROM c WHERE guard IS NOT NULL) AS s (type, id, version)), \
             event AS (SELECT array_agg(n::integer ORDER BY n, nth) AS of, array_agg(nth ORDER BY n, nth) AS nth, \
                 array_agg('made'::text) AS type, array_agg('1'::text) AS version, array_agg('{}'::text) AS payload \
                 FROM c, generate_series(0, events - 1) AS nth), \
             placed AS (SELECT array_agg(n::integer ORDER BY n) AS of, array_agg($3 ORDER BY n) AS column_id, \
                 array_agg(rank ORDER BY n) AS rank, array_agg(0::smallint) AS state, array_agg(wip ORDER BY n) AS wip \
                 FROM c WHERE rank IS NOT NULL) \
             SELECT a.start, a.answers FROM every e, offsets o, seen s, event v, placed p, taskfold_append( \
                 e.actor, e.command, e.fingerprint, e.type, e.aggregate, e.project, e.expected, e.guard, e.created_id, e.created, \
                 e.occurred, e.trace, e.events, o.before, coalesce(s.type, '{}'), coalesce(s.id, '{}'), coalesce(s.version, '{}'), \
                 coalesce(s.command, '{}'), \
                 coalesce(v.of, '{}'), coalesce(v.nth, '{}'), coalesce(v.type, '{}'), coalesce(v.version, '{}'), \
                 coalesce(v.payload, '{}'), coalesce(p.of, '{}'), coalesce(p.column_id, '{}'), coalesce(p.rank, '{}'), \
                 coalesce(p.state, '{}'), coalesce(p.wip, '{}'), 0, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', NULL, \
                 (SELECT log_id FROM log_identities), $4, $5) AS a",
        )
        .bind(Value::from(commands))
        .bind(self.project)
        .bind(self.column)
        .bind(self.seen.map(|(position, _)| position))
        .bind(self.seen.map(|(_, command)| command))
        .fetch_one(&self.db)
        .await
    }

    /// What a command does not say of itself.
    fn whole(&self, command: &Value) -> Value {
        let mut whole = json!({
            "command": new_id(), "fingerprint": "asked", "type": "task", "aggregate": new_id(), "expected": 0, "events": 1,
        });
        for (name, value) in command.as_object().unwrap() {
            whole[name] = value.clone();
        }
        if whole["type"] == "task" && whole.get("guard").is_none() {
            whole["guard"] = json!(1);
        }
        whole
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

/// Outcome, first and last position, version.
fn told(answers: Option<Value>) -> Vec<(String, i64, i64, i64)> {
    let told = |answer: &Value| {
        let number = |name: &str| answer[name].as_i64().unwrap();
        let outcome = answer["outcome"].as_str().unwrap().to_owned();
        (outcome, number("first_position"), number("last_position"), number("version"))
    };
    answers.unwrap().as_array().unwrap().iter().map(told).collect()
}

fn outcomes(answers: Option<Value>) -> Vec<String> {
    told(answers).into_iter().map(|(outcome, ..)| outcome).collect()
}

#[tokio::test]
async fn one_call_refuses_what_must_be_and_appends_the_rest_densely() {
    let place = Place::new().await;
    let log = Log::new(&place).await;
    let (there, sent) = (new_id(), new_id());
    let first = json!({"aggregate": there, "command": sent, "rank": "m", "events": 2});
    assert_eq!(log.append(&[first]).await.unwrap(), (1, None));

    let (made, edited) = (new_id(), new_id());
    let (_, answers) = log
        .append(&[
            json!({"aggregate": made, "rank": "a", "events": 2}),
            json!({"command": sent, "rank": "b"}),
            json!({"command": sent, "fingerprint": "something else"}),
            json!({"aggregate": there, "expected": 1}),
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
        told(answers),
        expected.map(|(outcome, first, last, version)| (outcome.to_owned(), first, last, version))
    );
    assert_eq!(log.events_of(made).await, [(4, 1), (5, 2)]);
    assert_eq!(log.events_of(there).await, [(2, 1), (3, 2)]);
    log.assert_dense(6).await;
    // Nothing is left of the attempt to append all.
    assert_eq!(log.append(&[json!({"rank": "b"})]).await.unwrap(), (6, None));
}

#[tokio::test]
async fn what_was_decided_on_an_earlier_project_is_refused_and_nothing_else_is() {
    let place = Place::new().await;
    let log = Log::new(&place).await;
    let project = json!({"type": "project", "aggregate": log.project, "expected": 1});
    assert_eq!(log.append(&[project]).await.unwrap(), (1, None));
    let (_, answers) = log.append(&[json!({"guard": 1}), json!({"guard": 2})]).await.unwrap();
    assert_eq!(outcomes(answers), ["guard", "appended"]);
    log.assert_dense(3).await;
}

#[tokio::test]
async fn a_command_without_events_is_checked_and_remembered() {
    let place = Place::new().await;
    let log = Log::new(&place).await;
    let task = new_id();
    log.append(&[json!({"aggregate": task}), json!({})]).await.unwrap();
    let nothing = json!({"aggregate": task, "expected": 1, "events": 0, "command": new_id()});
    let (_, answers) = log.append(std::slice::from_ref(&nothing)).await.unwrap();
    assert_eq!(told(answers), [("appended".to_owned(), 3, 2, 1)]);
    let (_, answers) = log.append(&[nothing]).await.unwrap();
    assert_eq!(told(answers), [("duplicate".to_owned(), 3, 2, 1)]);
    let (_, answers) = log.append(&[json!({"aggregate": task, "expected": 0, "events": 0})]).await.unwrap();
    assert_eq!(outcomes(answers), ["conflict"]);
    log.assert_dense(3).await;
}

/// A server that took over without the last transactions of the one before: what processes remember is ahead of the log.
#[tokio::test]
async fn a_decision_on_more_than_the_log_has_leaves_no_hole_in_an_aggregate() {
    let place = Place::new().await;
    let log = Log::new(&place).await;
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
async fn whoever_has_seen_another_event_than_the_log_has_appends_nothing() {
    let place = Place::new().await;
    let mut log = Log::new(&place).await;
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
async fn what_meets_in_one_call_is_refused_with_all_of_it() {
    let place = Place::new().await;
    let log = Log::new(&place).await;
    let same = new_id();
    for meeting in ["aggregate", "command"] {
        let both = [json!({meeting: same}), json!({meeting: same, "rank": "x"})];
        assert!(log.append(&both).await.is_err(), "{meeting}");
    }
    assert!(log.append(&[json!({"rank": "x"}), json!({"rank": "x"})]).await.is_err());
    // No removed member slips in.
    let project = json!({"type": "project", "aggregate": log.project, "expected": 1});
    let error = log.append(&[project.clone(), json!({"guard": 1})]).await.unwrap_err();
    assert!(error.to_string().contains("decided on it"), "{error}");
    assert_eq!(log.append(&[project, json!({"guard": null})]).await.unwrap(), (1, None));
    log.assert_dense(3).await;
}
