use std::ops::Range;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use taskfold_domain::ids::AttachmentId;

use crate::{PART_BYTES, Store, StoreError};

/// Read at once: with the one that is sent and the one that is read ahead, what a download holds in memory.
const PIECE_BYTES: u64 = 1024 * 1024;
const AHEAD: usize = 2;

impl Store {
    /// These bytes of a file, in order. A reader who is slow costs no more memory than one who is not.
    pub fn read(
        &self,
        id: AttachmentId,
        range: Range<u64>,
    ) -> impl Stream<Item = Result<Bytes, StoreError>> + Send + use<> {
        let store = self.clone();
        futures::stream::iter(pieces(range))
            .map(move |(index, within)| {
                let store = store.clone();
                async move { store.read_part(id, index, within).await }
            })
            .buffered(AHEAD)
    }
}

/// The parts that a range of the file lies in, and where in them, cut into pieces.
fn pieces(range: Range<u64>) -> impl Iterator<Item = (u64, Range<u64>)> {
    const PART: u64 = PART_BYTES as u64;
    let mut at = range.start;
    std::iter::from_fn(move || {
        if at >= range.end {
            return None;
        }
        let (index, start) = (at / PART, at % PART);
        let end = PART.min(start + (range.end - at)).min(start + PIECE_BYTES);
        at += end - start;
        Some((index, start..end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_the_range_and_never_cross_a_part() {
        const PART: u64 = PART_BYTES as u64;
        for range in [0..0, 0..1, 0..PART, PART - 1..PART + 1, 5..3 * PART + 7, 2 * PART..2 * PART + 3] {
            let mut at = range.start;
            for (index, within) in pieces(range.clone()) {
                assert_eq!(index * PART + within.start, at, "{range:?}");
                assert!(within.end <= PART && within.start < within.end, "{range:?}: {within:?}");
                at += within.end - within.start;
            }
            assert_eq!(at, range.end.max(range.start), "{range:?}");
        }
    }
}
