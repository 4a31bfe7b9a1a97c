//! Projects the log into read tables, and publishes it on the stream from there. No HTTP.

/// Going on with a log that was restored.
pub mod adopt;
/// Pause before another attempt.
mod backoff;
/// Rows into PostgreSQL by COPY.
mod copy;
/// Events that could not be projected, and projecting them again.
pub mod dead_letters;
/// Logged events, decoded.
mod decoded;
/// Ready values from the program.
mod deps;
/// Tables derived from rows of the read tables.
pub mod derived;
/// Errors.
mod error;
/// Types in which fields of rows are sent to PostgreSQL.
mod field;
/// Fold of events into the rows of all read models.
mod fold;
/// Generations of the read tables beside the live one.
mod generation;
/// Projecting and publishing while the lease holds.
mod lead;
/// Lease of the projector that works.
mod lease;
/// An event as it is published.
mod message;
/// JetStream: every Change at the sequence that is its position.
mod publish;
/// Read models: rows, folds, tests.
mod read_models;
/// Rebuilds of the read tables from the log.
pub mod rebuild;
/// Rows of read tables: columns, keys, versions.
mod row;
/// Rows of one read table, in memory.
mod rows;
/// Sessions of processes that have stopped without ending.
pub mod sessions;
/// One batch of events into the read tables, with the checkpoint, in one transaction.
pub mod step;
/// The stream in JetStream.
pub mod stream;
/// All read tables, in memory.
mod tables;
/// Given events, then rows, for the tests of the read models.
#[cfg(test)]
mod testing;
/// Transactions whose locks end when their process is suspended.
mod transactions;
/// Proof that log, stream and read tables agree.
pub mod verify;
/// Versions of the code that wrote the read tables.
pub mod versions;
/// Side tables of the append.
pub mod write_side;

pub use deps::Deps;
pub use error::ProjectorError;
pub use publish::check_last_message;

/// Stands by for the lease, and works while it holds it, until shutdown. Trouble with the database or the stream is
/// waited out.
pub async fn run(deps: Deps) -> Result<(), ProjectorError> {
    lead::run(deps).await;
    Ok(())
}
