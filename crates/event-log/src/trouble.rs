/// Codes and classes of PostgreSQL (appendix A of its documentation) for trouble of the server or the moment, not of the statement: no
/// connection (08), conflicts of transactions (40), no resources, such as a full disk (53), an operator's doing, a timeout included (57), errors
/// of the system (58), a lock that was not had in time (55P03), a server that is read-only (25006), a session that was idle for too long (25P03).
const PASSING: [&str; 8] = ["08", "40", "53", "57", "58", "55P03", "25006", "25P03"];

/// Codes and classes that say something of the connection, the schema or the grants, and nothing of the values in a statement: a plan that a
/// change of the schema made invalid (0A), a transaction that is not in the state that is needed (25), a prepared statement that the server does
/// not know (26), a login (28), a database or schema that is not there (3D, 3F), a table, column or privilege that is missing (42).
const OF_THE_WHOLE: [&str; 7] = ["0A", "25", "26", "28", "3D", "3F", "42"];

/// Codes of our own, of the append.
pub const SUSPENDED: &str = "TF001";
pub const OTHER_LOG: &str = "TF002";
pub const FORKED: &str = "TF003";
pub const INCOMPLETE: &str = "TF004";

/// Whether the same statement may succeed later: callers are told that the service is not available, and try again.
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => has_code(error.as_ref(), &PASSING),
        _ => false,
    }
}

/// Tells whether the error would be the same whatever values the statement had: trouble of the moment, or of the whole database. Any other error
/// is one of the rows that were read or written.
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
