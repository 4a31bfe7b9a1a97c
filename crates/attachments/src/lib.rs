//! The store of attachments: the command-api writes and removes files, the query-api reads them.
//!
//! A file is stored in parts of the same size, each of which is an object: `<id>/000000`, `<id>/000001`, ... So an
//! upload needs no more memory than a part, continues after its last part when it was interrupted, and needs no copy at
//! its end. Everything that an upload leaves behind is found under its id, whereas object stores hide unfinished
//! multipart uploads and bill them. `cat <id>/*` is the file.

/// Reads of a file, or of a range of it.
mod read;
/// Slots of files that are being received.
pub mod slots;
/// The objects of a file, and their removal.
mod store;
/// Uploads in progress.
pub mod uploads;
/// Writes of a file, part by part, while its bytes arrive.
mod write;

pub use store::{Store, StoreError};
pub use write::{Progress, StoredFile, Writer};

/// Size of every part except the last one. It must never change, because stored files depend on it.
pub const PART_BYTES: usize = 4 * 1024 * 1024;
