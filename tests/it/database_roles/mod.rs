//! What the database roles of the program may do, and what a role that an attacker controls cannot.

/// The owner of the embedded database.
mod owner;
/// Privileges that the program uses.
mod usage;

use sqlx::{Executor as _, PgPool};
use taskfold::databases::{DatabaseRole, RoleUrls, sign_in};

use crate::harness::App;

/// One connection with the login of a role.
async fn login(app: &App, role: DatabaseRole) -> PgPool {
    let options = sign_in(role, &RoleUrls::default(), Some(&app.owner)).await.unwrap();
    taskfold::connections::pool(options, role, 1)
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(Into::into)
}

/// A view in the temporary schema with the name of one that a function with the owner's rights reads. It runs the
/// attacker's code.
const SHADOWS: [&str; 2] = [
    "CREATE FUNCTION pg_temp.intruder() RETURNS uuid LANGUAGE plpgsql \
     AS $$ BEGIN RAISE EXCEPTION 'the code of the attacker ran as %', current_user; END $$",
    "CREATE TEMP VIEW project_roles AS SELECT gen_random_uuid() AS project_id, pg_temp.intruder() AS user_id, \
         'owner'::text AS role, NULL::uuid AS team_id, 1::bigint AS position",
];

#[tokio::test]
async fn a_role_cannot_run_code_as_the_owner_through_temporary_objects() {
    let app = App::start().await;
    for role in DatabaseRole::LOGINS {
        let pool = login(&app, role).await;
        for sql in
            ["CREATE TEMP TABLE log_head (position bigint)", SHADOWS[0], "CREATE TABLE log_heads (position bigint)"]
        {
            let refused = pool.execute(sql).await.expect_err("refused");
            assert_eq!(code(&refused).as_deref(), Some("42501"), "{role:?}: {sql}: {refused}");
        }
        pool.close().await;
    }
    // If an administrator allows temporary tables again, functions do not find them.
    let database: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&app.owner).await.unwrap();
    app.owner.execute(format!("GRANT TEMPORARY ON DATABASE {database} TO PUBLIC").as_str()).await.unwrap();
    let query = login(&app, DatabaseRole::Query).await;
    let mut db = query.acquire().await.unwrap();
    for sql in SHADOWS {
        db.execute(sql).await.unwrap();
    }
    db.execute("SELECT set_config('taskfold.user_id', gen_random_uuid()::text, false)").await.unwrap();
    let projects = "SELECT count(*) FROM taskfold_projects() UNION ALL SELECT count(*) FROM taskfold_teams()";
    let seen: Vec<i64> = sqlx::query_scalar(projects).fetch_all(&mut *db).await.unwrap();
    assert_eq!(seen, [0, 0]);
    drop(db);
    query.close().await;
    taskfold::migrate::run(&app.owner, &RoleUrls::default()).await.unwrap();
    app.finish().await;
}

#[tokio::test]
async fn every_function_looks_up_names_in_the_schema_of_the_tables_only() {
    let app = App::start().await;
    let open: Vec<String> = sqlx::query_scalar(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace \
         AND prosqlbody IS NULL AND NOT coalesce('search_path=public, pg_temp' = ANY (proconfig), false)",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap();
    assert_eq!(open, [""; 0], "functions that find temporary tables first");
    let callable: Vec<String> = sqlx::query_scalar(
        "SELECT oid::regprocedure::text FROM pg_proc p WHERE pronamespace = 'public'::regnamespace AND prosecdef \
         AND EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) WHERE grantee = 0)",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap();
    assert_eq!(callable, [""; 0], "functions with the rights of the owner that everybody may call");
    app.finish().await;
}

/// Damage, and what `verify` reports.
const DAMAGE: [(&str, &str); 7] = [
    (
        "ALTER FUNCTION taskfold_projects() RESET search_path",
        "function taskfold_projects() does not have the search path",
    ),
    ("GRANT EXECUTE ON FUNCTION taskfold_projects() TO PUBLIC", "everybody has EXECUTE on taskfold_projects()"),
    (
        "GRANT EXECUTE ON FUNCTION taskfold_hold_log() TO taskfold_query",
        "role taskfold_query has EXECUTE on taskfold_hold_log()",
    ),
    ("GRANT SELECT ON database_logins TO taskfold_feed", "role taskfold_feed has SELECT on database_logins"),
    (
        "GRANT SELECT (private_pem) ON signing_keys TO taskfold_query",
        "taskfold_query has SELECT (private_pem) on signing_keys",
    ),
    ("GRANT CREATE ON SCHEMA public TO PUBLIC", "everybody may create objects in the schema public"),
    ("GRANT TEMPORARY ON DATABASE $database TO taskfold_query", "role taskfold_query may create temporary tables"),
];

#[tokio::test]
async fn verify_reports_surplus_rights_and_migrate_revokes_them() {
    let app = App::start().await;
    let database: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&app.owner).await.unwrap();
    for (damage, _) in DAMAGE {
        app.owner.execute(damage.replace("$database", &database).as_str()).await.unwrap();
    }
    let report = app.verify().await;
    for (damage, expected) in DAMAGE {
        assert!(report.faults.iter().any(|fault| fault.contains(expected)), "{damage}:\n{report}");
    }
    taskfold::migrate::run(&app.owner, &RoleUrls::default()).await.unwrap();
    app.finish().await;
}

/// Columns with secrets, and the roles that may read them.
const SECRETS: [(&str, &str, &[&str]); 9] = [
    ("signing_keys", "private_pem", &["taskfold_command"]),
    ("accounts", "password_hash", &["taskfold_command"]),
    ("sessions", "refresh_hash", &["taskfold_command"]),
    ("sessions", "successor_key", &["taskfold_command"]),
    ("spent_refresh_tokens", "refresh_hash", &["taskfold_command"]),
    ("api_tokens", "secret_hash", &["taskfold_command"]),
    ("invitations", "secret_hash", &["taskfold_command"]),
    ("calendar_links", "secret_hash", &["taskfold_query"]),
    ("database_logins", "password", &[]),
];

#[tokio::test]
async fn secrets_are_readable_by_the_roles_that_use_them_only() {
    let app = App::start().await;
    for (table, column, expected) in SECRETS {
        let readers: Vec<String> = sqlx::query_scalar(
            "SELECT rolname::text FROM pg_roles WHERE rolname = ANY (taskfold_access_roles()) \
             AND has_column_privilege(oid, $1, $2, 'SELECT') ORDER BY 1",
        )
        .bind(table)
        .bind(column)
        .fetch_all(&app.owner)
        .await
        .unwrap();
        assert_eq!(readers, expected, "{table}.{column}");
    }
    // Another column with a secret belongs into the table above.
    let named: Vec<String> = sqlx::query_scalar(
        "SELECT format('%s.%s', c.relname, a.attname) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 \
         AND a.attname ~ '(secret|private|password|refresh_hash|_key$)'",
    )
    .fetch_all(&app.owner)
    .await
    .unwrap();
    let known: Vec<String> = SECRETS.iter().map(|(table, column, _)| format!("{table}.{column}")).collect();
    for column in named {
        assert!(known.contains(&column), "{column}: state here which roles may read it");
    }
    app.finish().await;
}
