/// Codes and classes of PostgreSQL (appendix A of its documentation) for trouble of the server or the moment, not of the statement: no
/// connection (08), conflicts of transactions (40), no resources, such as a full disk (53), an operator's doing, a timeout included (57), errors
/// of the system (58), a lock that was not had in time (55P03), a server that is read-only (25006), a session that was idle for too long (25P03).
const PASSING: [&str; 8] = ["08", "40", "53", "57", "58", "55P03", "25006", "25P03"];

/// Codes of our own, of the append.
pub const SUSPENDED: &str = "TF001";
pub const OTHER_LOG: &str = "TF002";
pub const FORKED: &str = "TF003";

/// Whether the same statement may succeed later: callers are told that the service is not available, and try again.
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| PASSING.iter().any(|passing| code.starts_with(passing)))
        }
        _ => false,
    }
}
