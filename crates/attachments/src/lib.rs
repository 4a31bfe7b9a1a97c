//! Where the bytes of attachments are: the command-api writes and removes them, the query-api reads them.
//!
//! A file is kept in parts of one size, each an object of its own: `<id>/000000`, `<id>/000001`, ... An upload then needs no
//! more memory than a part, one that was interrupted goes on behind its last part, a finished one needs no copying
//! together, and whatever an upload leaves behind is found under its id: object stores hide unfinished multipart uploads,
//! and bill them. `cat <id>/*` is the file.

/// Reading a file, or a range of it.
mod read;
/// The objects of a file, and removing them.
mod store;
/// Files on their way into the store.
pub mod uploads;
/// Writing a file part by part while its bytes come in.
mod write;

pub use store::{Store, StoreError};
pub use write::{Progress, Whole, Writer};

/// Of every part but the last. Stored files depend on it: it is never changed.
pub const PART_BYTES: usize = 4 * 1024 * 1024;
