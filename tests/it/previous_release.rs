//! Statements of the previous release, verbatim, on the schema of this one: its processes continue during a rolling
//! update. Whole processes of it are run by `tests/previous_release.py`.

use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};
use uuid::Uuid;

use crate::harness::{App, new_id};

const APPEND: &str = "SELECT * FROM taskfold_append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, \
         $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39)";
const BEGIN_PROJECTING: &str = "SELECT position, generation, versions = $1 AS ours, EXISTS (SELECT FROM set_aside_events) AS set_aside, \
             set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), \
             set_config('enable_mergejoin', 'off', true) \
         FROM projection_checkpoint FOR UPDATE";
const ADVANCE: &str = "WITH moved AS (UPDATE projection_checkpoint SET position = $1 WHERE position = $2 RETURNING position) \
         SELECT CASE WHEN $3::text IS NOT NULL THEN pg_notify($3, position::text) END FROM moved";

/// A session as the previous release opened it: as the owner, which then sets the role.
async fn session(app: &App, role: &str) -> PgConnection {
    let mut db = PgConnection::connect(&app.database_url).await.unwrap();
    db.execute(format!("SET ROLE {role}").as_str()).await.unwrap();
    db
}

struct Renaming<'a> {
    actor: Uuid,
    command: Uuid,
    task: &'a str,
    project: Uuid,
    version: i64,
}

impl Renaming<'_> {
    /// Appends one event of one command. Returns the position before it, and the outcomes unless all were appended.
    async fn append(&self, db: &mut PgConnection) -> (i64, Option<Value>) {
        let payload = json!({"type": "task.renamed", "changes": {"title": {"from": "T", "to": "Old"}}}).to_string();
        let (none, no_ids): ([i32; 0], [Uuid; 0]) = ([], []);
        let row = sqlx::query(APPEND)
            .bind([self.actor])
            .bind([self.command])
            .bind([b"sixteen of bytes".as_slice()])
            .bind(["task"])
            .bind([self.task])
            .bind([Some(self.project)])
            .bind([self.version])
            .bind([Some(1_i64)])
            .bind([None::<Uuid>])
            .bind([false])
            .bind([None::<chrono::DateTime<chrono::Utc>>])
            .bind([None::<&str>])
            .bind([1_i32])
            .bind([0_i32])
            .bind(["task", "project"])
            .bind([self.task.to_owned(), self.project.to_string()])
            .bind([self.version, 1])
            .bind([1_i32])
            .bind([0_i32])
            .bind(["task.renamed"])
            .bind(["1"])
            .bind([payload])
            .bind(none)
            .bind(no_ids)
            .bind([""; 0])
            .bind([0_i16; 0])
            .bind([None::<i32>; 0])
            .bind(0_i32)
            .bind(none)
            .bind([""; 0])
            .bind([0_i64; 0])
            .bind(none)
            .bind(no_ids)
            .bind(none)
            .bind([0_i16; 0])
            .bind([None::<Uuid>; 0])
            .bind(none)
            .bind([None::<chrono::DateTime<chrono::Utc>>; 0])
            .bind(None::<i64>)
            .fetch_one(db)
            .await
            .unwrap();
        (row.get("start"), row.get("answers"))
    }
}

#[tokio::test]
async fn the_append_and_the_checkpoint_of_the_previous_release_work() {
    let app = App::start().await;
    let (ada, project, task) = app.with_a_task().await;
    let mut db = session(&app, "taskfold_command").await;
    let renaming = Renaming {
        actor: ada.user_id.parse().unwrap(),
        command: new_id(),
        task: &task,
        project: project.parse().unwrap(),
        version: 1,
    };
    assert_eq!(renaming.append(&mut db).await, (2, None));
    let again = renaming.append(&mut db).await.1.unwrap();
    assert_eq!((&again[0]["outcome"], &again[0]["last_position"]), (&json!("duplicate"), &json!(3)));
    let late = Renaming { command: new_id(), ..renaming };
    assert_eq!(late.append(&mut db).await.1.unwrap()[0]["outcome"], "conflict");
    db.close().await.unwrap();
    app.settle().await;
    assert_eq!(ada.get(&format!("/v1/tasks/{task}")).await.expect(200)["title"], "Old");
    ada.patch(&format!("/v1/tasks/{task}"), json!({"title": "New"})).await.expect(200);
    app.settle().await;

    let mut db = session(&app, "taskfold_projector").await;
    let mut tx = db.begin().await.unwrap();
    let begun = sqlx::query(BEGIN_PROJECTING).bind(json!({"tasks": 1})).fetch_one(&mut *tx).await.unwrap();
    // It stays on standby when the tables are of a later version.
    assert_eq!((begun.get::<i64, _>("position"), begun.get::<bool, _>("ours")), (4, false));
    let moved = sqlx::query(ADVANCE).bind(4_i64).bind(4_i64).bind(Some("taskfold_projected"));
    assert!(moved.fetch_optional(&mut *tx).await.unwrap().is_some());
    tx.rollback().await.unwrap();
    db.close().await.unwrap();
    app.finish().await;
}
