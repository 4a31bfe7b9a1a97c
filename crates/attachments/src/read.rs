//! Reads of a file, or of a range of it.

use std::ops::Range;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use taskfold_domain::ids::AttachmentId;

use crate::{PART_BYTES, Store, StoreError};

/// Size of a read. A download holds [`CONCURRENT_READS`] and the one that is being sent in memory.
const CHUNK_BYTES: u64 = 1024 * 1024;
const CONCURRENT_READS: usize = 2;

impl Store {
    /// The bytes of a range, in order. A slow reader needs no more memory than a fast one.
    pub fn read(
        &self,
        id: AttachmentId,
        range: Range<u64>,
    ) -> impl Stream<Item = Result<Bytes, StoreError>> + Send + use<> {
        let store = self.clone();
        futures::stream::iter(chunks(range))
            .map(move |(index, within)| {
                let store = store.clone();
                async move { store.read_part(id, index, within).await }
            })
            .buffered(CONCURRENT_READS)
    }
}

/// Splits a range of a file into chunks: index of the part, and range within the part.
fn chunks(range: Range<u64>) -> impl Iterator<Item = (u64, Range<u64>)> {
    const PART: u64 = PART_BYTES as u64;
    let mut at = range.start;
    std::iter::from_fn(move || {
        if at >= range.end {
            return None;
        }
        let (index, start) = (at / PART, at % PART);
        let end = PART.min(start + (range.end - at)).min(start + CHUNK_BYTES);
        at += end - start;
        Some((index, start..end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_the_range_and_never_cross_a_part() {
        const PART: u64 = PART_BYTES as u64;
        for range in [0..0, 0..1, 0..PART, PART - 1..PART + 1, 5..3 * PART + 7, 2 * PART..2 * PART + 3] {
            let mut at = range.start;
            for (index, within) in chunks(range.clone()) {
                assert_eq!(index * PART + within.start, at, "{range:?}");
                assert!(within.end <= PART && within.start < within.end, "{range:?}: {within:?}");
                at += within.end - within.start;
            }
            assert_eq!(at, range.end.max(range.start), "{range:?}");
        }
    }
}
