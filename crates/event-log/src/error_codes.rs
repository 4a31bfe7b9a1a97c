//! Classification of database errors by their codes (appendix A of PostgreSQL's documentation).

/// Codes and classes of a transient failure of the server, not of the statement: no connection (08), transaction
/// conflicts (40), lack of resources, such as a full disk (53), operator intervention, timeouts included (57), system
/// errors (58), a database that accepts no connections now (55000), a lock timeout (55P03), a read-only server (25006),
/// a session that was idle for too long (25P03).
const TRANSIENT: [&str; 9] = ["08", "40", "53", "57", "58", "55000", "55P03", "25006", "25P03"];

/// Codes and classes that concern the connection, the schema or the grants, and not the values in a statement: a plan
/// that a schema change invalidated (0A), an invalid transaction state (25), an unknown prepared statement (26), the
/// login (28), a missing database or schema (3D, 3F), a missing table, column or privilege (42).
const OF_THE_WHOLE: [&str; 7] = ["0A", "25", "26", "28", "3D", "3F", "42"];

/// Code that the append raises for a suspended log.
pub const SUSPENDED: &str = "TF001";
/// Code that the append raises for a log with another id.
pub const OTHER_LOG: &str = "TF002";
/// Code that the append raises if the log lacks an event that the caller has seen.
pub const FORKED: &str = "TF003";
/// Code that the append raises if a row is missing in its side tables.
pub const INCOMPLETE: &str = "TF004";
/// Code that the creation of an account raises if a task, project or team has its id.
const ID_TAKEN: &str = "TF005";

/// Tells whether an account was not created because a task, project or team has its id.
pub fn is_id_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| has_code(error, &[ID_TAKEN]))
}

/// Tells whether the same statement may succeed later: clients get 503 and try again.
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => has_code(error.as_ref(), &TRANSIENT),
        _ => false,
    }
}

/// Tells whether the error is independent of the values in the statement: a transient failure, or one of the whole
/// database. Any other error concerns the rows that were read or written.
pub fn is_of_the_whole(error: &sqlx::Error) -> bool {
    is_unavailable(error)
        || match error {
            sqlx::Error::Database(error) => has_code(error.as_ref(), &OF_THE_WHOLE),
            sqlx::Error::BeginFailed | sqlx::Error::Configuration(_) => true,
            _ => false,
        }
}

fn has_code(error: &dyn sqlx::error::DatabaseError, classes: &[&str]) -> bool {
    error.code().is_some_and(|code| classes.iter().any(|class| code.starts_with(class)))
}
