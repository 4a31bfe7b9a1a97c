//! The owner of the embedded database is not a superuser, also in a data directory of an earlier version.

use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};
use taskfold::databases::{DatabaseRole, RoleUrls, role_pool};
use taskfold_embedded::{Durability, Options, Stack};
use taskfold_projector::rebuild::{Then, rebuild};

use crate::harness::{App, TestEnvironment, data_dir};

async fn start(name: &str) -> Stack {
    let options = Options { data_dir: data_dir(name), postgres: true, nats: None, durability: Durability::TestsOnly };
    Stack::start(options).await.unwrap()
}

/// Objects and databases of the program that do not belong to the owner.
async fn of_others(db: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relowner <> 'taskfold'::regrole \
         UNION ALL SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proowner <> 'taskfold'::regrole \
         UNION ALL SELECT oid::regtype::text FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typowner <> 'taskfold'::regrole \
         UNION ALL SELECT nspname FROM pg_namespace WHERE nspname LIKE 'taskfold%' AND nspowner <> 'taskfold'::regrole \
         UNION ALL SELECT datname FROM pg_database WHERE datname = 'taskfold' AND datdba <> 'taskfold'::regrole",
    )
    .fetch_all(db)
    .await
    .unwrap()
}

/// Runs commands, reads, a rebuild, `migrate` and `verify` as the owner.
async fn works(stack: &Stack, account: &str) {
    let database_url = stack.database_url().unwrap();
    let mut db = PgConnection::connect(&database_url).await.unwrap();
    let superuser: bool = sqlx::query_scalar("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        .fetch_one(&mut db)
        .await
        .unwrap();
    assert!(!superuser);
    db.close().await.unwrap();
    let app = App::start_at(TestEnvironment { database_url, ..TestEnvironment::new().await }).await;
    let ada = app.person(account).await;
    let (project, _) = ada.project("P").await;
    ada.task(&project, "T").await;
    app.settle().await;
    ada.get(&format!("/v1/projects/{project}/board")).await.expect(200);
    let maintenance = role_pool(&app.database_url, DatabaseRole::Maintenance, 2).await.unwrap();
    assert_eq!(rebuild(&maintenance, Then::Switch, &|_, _, _| {}).await.unwrap().differences, []);
    maintenance.close().await;
    taskfold::migrate::run(&app.owner, &RoleUrls::default()).await.unwrap();
    let mut db = PgConnection::connect(&app.database_url).await.unwrap();
    assert_eq!(of_others(&mut db).await, [""; 0]);
    db.close().await.unwrap();
    app.finish().await;
}

#[tokio::test]
async fn the_embedded_database_belongs_to_a_plain_role() {
    let stack = start("plain-owner").await;
    works(&stack, "ada").await;
    stack.stop().await;
}

/// An earlier version created everything as the superuser.
#[tokio::test]
async fn a_data_directory_of_an_earlier_version_gets_the_owner_at_start() {
    let stack = start("earlier-owner").await;
    let mut admin = PgConnection::connect(&stack.admin_url("postgres").unwrap()).await.unwrap();
    for sql in ["ALTER DATABASE taskfold OWNER TO postgres", "DROP ROLE taskfold"] {
        admin.execute(sql).await.unwrap();
    }
    admin.close().await.unwrap();
    let superuser = PgPool::connect(&stack.admin_url("taskfold").unwrap()).await.unwrap();
    taskfold::migrate::run(&superuser, &RoleUrls::default()).await.unwrap();
    let mut db = superuser.acquire().await.unwrap();
    // What a rebuild leaves behind.
    for sql in ["CREATE SCHEMA taskfold_previous", "CREATE TABLE taskfold_previous.tasks (LIKE public.tasks)"] {
        db.execute(sql).await.unwrap();
    }
    drop(db);
    superuser.close().await;
    stack.stop().await;

    let stack = start("earlier-owner").await;
    works(&stack, "bea").await;
    // A start with nothing to do.
    stack.stop().await;
    let stack = start("earlier-owner").await;
    works(&stack, "cem").await;
    stack.stop().await;
}
