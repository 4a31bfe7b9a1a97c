//! PostgreSQL in its packaged configuration, 15 and 18: owned by a role that is not a superuser, with just-in-time
//! compilation on, which the program has to disable where it is harmful.

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};
use taskfold::databases::{DatabaseRole, RoleUrls, sign_in};
use taskfold_embedded::{Durability, Options, Stack};
use taskfold_projector::rebuild::{Then, rebuild};
use taskfold_projector::verify::verify;
use taskfold_projector::write_side::repair;

use crate::harness::{App, TestEnvironment, data_dir, skipped};

/// The oldest supported version, and that of the program.
const MAJORS: [u32; 2] = [15, 18];

/// Starts a server of this version whose owner is `plain`; `None` with a message if it is not installed.
async fn server(major: u32, name: &str, rights: &str) -> Option<(Stack, String)> {
    let data_dir = data_dir(&format!("{name}-{major}"));
    let options = Options { data_dir, postgres: true, nats: None, durability: Durability::TestsOnly };
    let stack = match Stack::start_on(options, Some(major)).await {
        Ok(stack) => stack,
        Err(error) if error.to_string().starts_with("PostgreSQL was not found") => {
            skipped(&format!("a test needs PostgreSQL {major} (`apt-get install postgresql-{major}`)"));
            return None;
        }
        Err(error) => panic!("{error:#}"),
    };
    let admin = stack.admin_url("postgres").unwrap();
    let mut db = PgConnection::connect(&admin).await.unwrap();
    db.execute(format!("CREATE ROLE plain LOGIN {rights} PASSWORD 'plain'").as_str()).await.unwrap();
    db.execute("CREATE DATABASE plain OWNER plain").await.unwrap();
    db.execute("ALTER DATABASE plain SET jit = on").await.unwrap();
    db.close().await.unwrap();
    let url = stack.admin_url("plain").unwrap().replace("//postgres@", "//plain:plain@");
    Some((stack, url))
}

async fn part(app: &App, role: DatabaseRole, role_urls: &RoleUrls) -> PgPool {
    let options = sign_in(role, role_urls, Some(&app.owner)).await.unwrap();
    taskfold::connections::pool(options, role, 2)
}

/// Runs commands, reads, `migrate` again, `verify`, and a rebuild.
async fn works(environment: TestEnvironment, role_urls: &RoleUrls) {
    let app = App::start_at(environment).await;
    let version: String = sqlx::query_scalar("SHOW server_version").fetch_one(&app.owner).await.unwrap();
    let (ada, project, task) = app.with_a_task().await;
    let path = format!("/v1/tasks/{task}");
    ada.patch(&path, json!({"title": "Paint", "due_at": "2020-01-01T00:00:00Z"})).await.expect(200);
    ada.post(&format!("{path}/start"), json!({})).await.expect(200);
    ada.post(&format!("{path}/comments"), json!({"text": "a word"})).await.expect(201);
    app.settle().await;
    for read in ["", "/board", "/tasks", "/members", "/events?since=0"] {
        ada.get(&format!("/v1/projects/{project}{read}")).await.expect(200);
    }
    assert_eq!(ada.get(&path).await.expect(200)["title"], "Paint", "{version}");
    assert_eq!(ada.get("/v1/search?q=paint").await.expect(200)["items"].as_array().unwrap().len(), 1, "{version}");
    taskfold::migrate::run(&app.owner, role_urls).await.unwrap();
    for role in DatabaseRole::LOGINS {
        let pool = part(&app, role, role_urls).await;
        let jit: String = sqlx::query_scalar("SHOW jit").fetch_one(&pool).await.unwrap();
        assert_eq!(jit, "off", "{role:?} on {version}");
        pool.close().await;
    }
    repair(&app.owner).await.unwrap();
    let maintenance = part(&app, DatabaseRole::Maintenance, role_urls).await;
    let rebuilt = rebuild(&maintenance, Then::Switch, &|_, _, _| {}).await.unwrap();
    assert_eq!(rebuilt.differences, [], "{version}");
    // Once as the program does, and once as the owner.
    let report = verify(&maintenance, Some((&app.nats().await, &app.stream))).await.unwrap();
    assert!(report.is_clean(), "{version}: {report}");
    maintenance.close().await;
    app.finish().await;
}

#[tokio::test]
async fn an_owner_with_createrole_needs_no_other_right() {
    for major in MAJORS {
        let Some((stack, database_url)) = server(major, "createrole", "CREATEROLE").await else { continue };
        works(TestEnvironment { database_url, ..TestEnvironment::new().await }, &RoleUrls::default()).await;
        stack.stop().await;
    }
}

#[tokio::test]
async fn an_owner_without_createrole_needs_an_administrator_to_create_the_roles() {
    for major in MAJORS {
        let Some((stack, database_url)) = server(major, "administered", "").await else { continue };
        let admin = stack.admin_url("postgres").unwrap();
        let mut db = PgConnection::connect(&admin).await.unwrap();
        let tools: PathBuf = sqlx::query_scalar::<_, String>("SELECT setting FROM pg_config WHERE name = 'BINDIR'")
            .fetch_one(&mut db)
            .await
            .unwrap()
            .into();
        db.close().await.unwrap();
        let roles = concat!(env!("CARGO_MANIFEST_DIR"), "/ops/roles.sql");
        let mut psql = Command::new(tools.join("psql"));
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", "owner=plain", "-f", roles, "-d", &admin]);
        let parts = ["command", "query", "feed", "projector"];
        for part in parts {
            psql.args(["-v", &format!("{part}_password={part}")]);
        }
        let output = psql.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let [command, query, feed, projector] =
            parts.map(|part| database_url.replace("//plain:plain@", &format!("//taskfold_{part}:{part}@")));
        let flags = ["command", "query", "feed", "projector"].iter().zip([&command, &query, &feed, &projector]);
        let flags = flags.map(|(part, url)| format!("--{part}-database-url={url}")).collect();
        let urls =
            RoleUrls { command: Some(command), query: Some(query), feed: Some(feed), projector: Some(projector) };
        works(TestEnvironment { database_url, flags, ..TestEnvironment::new().await }, &urls).await;
        stack.stop().await;
    }
}
