//! Rows visible to the query-api's database role, read from the database itself: a table that is added without a policy
//! fails here.

use serde_json::json;
use sqlx::{PgConnection, Row};

use crate::harness::{Actor, App};

/// Tables that contain nothing about any user.
const OF_NOBODY: [&str; 5] =
    ["_sqlx_migrations", "log_head", "log_identities", "projection_checkpoint", "signing_keys"];

/// All tables and views of which the role may read at least a column.
async fn readable(db: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname = 'public' \
           AND (has_table_privilege('taskfold_query', c.oid, 'SELECT') \
                OR has_any_column_privilege('taskfold_query', c.oid, 'SELECT')) ORDER BY 1",
    )
    .fetch_all(db)
    .await
    .unwrap()
}

/// Number of rows of a table that the role sees, with this user.
async fn seen(db: &mut PgConnection, table: &str, user: &str) -> i64 {
    let mut tx = sqlx::Connection::begin(db).await.unwrap();
    sqlx::query("SET LOCAL ROLE taskfold_query").execute(&mut *tx).await.unwrap();
    sqlx::query("SELECT set_config('taskfold.user_id', $1, true)").bind(user).execute(&mut *tx).await.unwrap();
    let row = sqlx::query(&format!("SELECT count(*) FROM {table}")).fetch_one(&mut *tx).await;
    row.unwrap_or_else(|e| panic!("{table}: {e}")).get(0)
}

async fn populate(ada: &Actor, bo: &Actor) -> String {
    let (project, _) = ada.project("Secret").await;
    let path = format!("/v1/projects/{project}");
    ada.put(&format!("{path}/members/{}", bo.user_id), json!({"role": "member"})).await.expect(201);
    let team =
        ada.post("/v1/teams", json!({"name": "Secret team"})).await.expect(201)["id"].as_str().unwrap().to_owned();
    ada.put(&format!("{path}/teams/{team}"), json!({"role": "viewer"})).await.expect(201);
    let task =
        ada.post(&format!("{path}/tasks"), json!({"title": "T", "assignee_ids": [bo.user_id]})).await.expect(201);
    let task = task["id"].as_str().unwrap();
    ada.post(&format!("/v1/tasks/{task}/comments"), json!({"text": "hello @bo"})).await.expect(201);
    project
}

#[tokio::test]
async fn the_query_role_reads_only_rows_of_its_user() {
    let app = App::start().await;
    let (ada, bo, eve) = (app.person("ada").await, app.person("bo").await, app.person("eve").await);
    let project = populate(&ada, &bo).await;
    app.settle().await;
    let listed = bo.get("/v1/me/notifications").await.expect(200);
    let first = listed["items"][0]["id"].as_str().unwrap();
    bo.post("/v1/me/notifications/read", json!({"ids": [first]})).await.expect(200);
    bo.put("/v1/me/notification-preferences", json!({"muted": ["completed"]})).await.expect(200);

    let mut db = app.owner.acquire().await.unwrap();
    let tables = readable(&mut db).await;
    assert!(tables.len() > 12, "{tables:?}");
    let all: Vec<&String> = tables.iter().filter(|table| !OF_NOBODY.contains(&table.as_str())).collect();
    for table in &all {
        let secured: bool = sqlx::query_scalar("SELECT relrowsecurity FROM pg_class WHERE oid = $1::text::regclass")
            .bind(table)
            .fetch_one(&mut *db)
            .await
            .unwrap();
        assert!(secured, "{table} has no row-level security: see migrations/0008_row_level_security.sql");
        assert_eq!(seen(&mut db, table, "").await, 0, "{table} by nobody");
        // A user without memberships sees only their own account.
        let own = i64::from(table.as_str() == "accounts");
        assert_eq!(seen(&mut db, table, &eve.user_id).await, own, "{table} by a stranger");
    }
    for table in ["projects", "project_teams", "tasks", "comments", "events", "teams", "team_members"] {
        assert!(seen(&mut db, table, &ada.user_id).await > 0, "{table} by its owner");
    }
    for table in ["notifications", "notification_reads", "notification_settings"] {
        assert!(seen(&mut db, table, &bo.user_id).await > 0, "{table} by whose it is");
        assert_eq!(seen(&mut db, table, &ada.user_id).await, 0, "{table} by another");
    }
    ada.delete(&format!("/v1/projects/{project}/members/{}", bo.user_id)).await.expect(200);
    app.settle().await;
    for table in all
        .iter()
        .filter(|table| !["accounts", "notification_settings", "notification_reads"].contains(&table.as_str()))
    {
        assert_eq!(seen(&mut db, table, &bo.user_id).await, 0, "{table} by a removed member");
    }
    drop(db);
    app.finish().await;
}

/// The role owns nothing, and cannot write the tables that the log decides.
#[tokio::test]
async fn the_query_role_owns_nothing_and_writes_only_personal_rows() {
    let app = App::start().await;
    let owned: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = 'taskfold_query')",
    )
    .fetch_one(&app.owner)
    .await
    .unwrap();
    assert_eq!(owned, 0);
    let writable: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind = 'r' AND n.nspname = 'public' \
           AND has_table_privilege('taskfold_query', c.oid, 'INSERT, UPDATE, DELETE') ORDER BY 1",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap();
    for table in &writable {
        let own: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = $1::text::regclass AND attname = 'user_id') \
               AND EXISTS (SELECT FROM pg_policies WHERE tablename = $1 AND policyname = 'own' AND with_check IS NOT NULL)",
        )
        .bind(table)
        .fetch_one(&app.owner)
        .await
        .unwrap();
        assert!(own, "{table} can be written, and not only one's own rows");
    }
    app.finish().await;
}
