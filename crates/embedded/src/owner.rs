//! The owner of the embedded database: a role that is not a superuser, so that no statement of the program can read
//! files, run commands or change the server.

use std::time::Duration;

use anyhow::Context as _;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use super::DATABASE;

/// Name of the role.
pub(super) const OWNER: &str = "taskfold";
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Creates the role, or takes back what it must not have.
const ROLE: &str = "
DO $$
BEGIN
    IF to_regrole('taskfold') IS NULL THEN
        CREATE ROLE taskfold LOGIN CREATEROLE;
    ELSIF EXISTS (SELECT FROM pg_roles WHERE rolname = 'taskfold' AND (rolsuper OR NOT rolcanlogin OR NOT rolcreaterole)) THEN
        ALTER ROLE taskfold LOGIN CREATEROLE NOSUPERUSER;
    END IF;
END
$$";

/// Gives the database, everything in it and the roles of the program to the owner: until it had one, they belonged to
/// the superuser. `REASSIGN OWNED` refuses to do this for the first superuser.
const HAND_OVER: &str = "
DO $$
DECLARE
    statement text;
    rights text;
BEGIN
    FOR statement IN
        WITH schemas AS (
            SELECT oid, nspname, nspowner FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
        superuser AS (SELECT oid FROM pg_roles WHERE rolname = current_user),
        of_extensions AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e')
        SELECT format('ALTER DATABASE %I OWNER TO taskfold', datname) FROM pg_database
        WHERE datname = current_database() AND datdba <> 'taskfold'::regrole
        UNION ALL
        SELECT format('ALTER SCHEMA %I OWNER TO taskfold', s.nspname) FROM schemas s, superuser
        WHERE s.nspowner = superuser.oid
        UNION ALL
        SELECT format(CASE c.relkind WHEN 'c' THEN 'ALTER TYPE %s OWNER TO taskfold' WHEN 'v' THEN 'ALTER VIEW %s OWNER TO taskfold'
            WHEN 'm' THEN 'ALTER MATERIALIZED VIEW %s OWNER TO taskfold' WHEN 'S' THEN 'ALTER SEQUENCE %s OWNER TO taskfold'
            ELSE 'ALTER TABLE %s OWNER TO taskfold' END, c.oid::regclass)
        FROM pg_class c JOIN schemas s ON s.oid = c.relnamespace, superuser
        WHERE c.relowner = superuser.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'c')
          AND NOT EXISTS (SELECT FROM of_extensions e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid)
          -- A sequence of a column has the owner of its table.
          AND NOT (c.relkind = 'S' AND EXISTS (
              SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
                AND d.refclassid = 'pg_class'::regclass))
        UNION ALL
        SELECT format('ALTER TYPE %s OWNER TO taskfold', t.oid::regtype)
        FROM pg_type t JOIN schemas s ON s.oid = t.typnamespace, superuser
        WHERE t.typowner = superuser.oid AND t.typtype IN ('d', 'e')
          AND NOT EXISTS (SELECT FROM of_extensions e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid)
        UNION ALL
        SELECT format('ALTER ROUTINE %s OWNER TO taskfold', p.oid::regprocedure)
        FROM pg_proc p JOIN schemas s ON s.oid = p.pronamespace, superuser
        WHERE p.proowner = superuser.oid
          AND NOT EXISTS (SELECT FROM of_extensions e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid)
    LOOP
        EXECUTE statement;
    END LOOP;
    -- An owner who created these roles would administer them, and see and end the sessions of the logins.
    FOR statement, rights IN
        SELECT r.rolname, CASE
            WHEN current_setting('server_version_num')::integer < 160000 THEN 'WITH ADMIN OPTION'
            WHEN r.rolcanlogin THEN 'WITH ADMIN TRUE, INHERIT TRUE, SET FALSE'
            ELSE 'WITH ADMIN TRUE, INHERIT FALSE, SET FALSE' END
        FROM pg_roles r
        WHERE r.rolname LIKE 'taskfold\\_%' AND NOT EXISTS (
            SELECT FROM pg_auth_members m WHERE m.roleid = r.oid AND m.member = 'taskfold'::regrole AND m.admin_option)
    LOOP
        EXECUTE format('GRANT %I TO taskfold %s', statement, rights);
    END LOOP;
END
$$";

/// Creates the owner and its database, and gives it what an earlier version created as the superuser. `admin`: the URL
/// of a superuser, in another database.
pub(super) async fn set_up(admin: &str) -> anyhow::Result<()> {
    let options: PgConnectOptions = admin.parse()?;
    let mut db = connect(options.clone()).await?;
    db.execute(ROLE).await.context("creating the owner of the embedded database")?;
    let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(DATABASE)
        .fetch_one(&mut db)
        .await?;
    if !exists {
        db.execute(format!("CREATE DATABASE {DATABASE} OWNER {OWNER}").as_str()).await?;
    }
    db.close().await?;
    let mut db = connect(options.database(DATABASE)).await?;
    db.execute(HAND_OVER).await.context("giving the embedded database to its owner")?;
    Ok(db.close().await?)
}

async fn connect(options: PgConnectOptions) -> anyhow::Result<sqlx::PgConnection> {
    let options = options.disable_statement_logging();
    Ok(tokio::time::timeout(CONNECT_LIMIT, options.connect()).await??)
}
