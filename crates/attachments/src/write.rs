//! Writes of a file, part by part, while its bytes arrive.

use bytes::{Bytes, BytesMut};
use sha2::digest::common::hazmat::SerializableState;
use sha2::{Digest, Sha256};
use taskfold_domain::ids::AttachmentId;
use tokio::task::JoinHandle;

use crate::{PART_BYTES, Store, StoreError};

/// Initial size of the buffer of a part. It grows with the bytes that arrive, so that a slow sender does not hold the
/// memory of a whole part.
const INITIAL_BUFFER_BYTES: usize = 64 * 1024;

/// Writes the bytes of a file in order. While one part is written, the next one is filled.
pub struct Writer {
    store: Store,
    id: AttachmentId,
    hash: Sha256,
    size: u64,
    part: BytesMut,
    writing: Option<JoinHandle<Result<(), StoreError>>>,
}

/// A file that is stored completely.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredFile {
    pub size: u64,
    pub sha256: [u8; 32],
}

/// Progress of a write, from which another writer can continue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub size: u64,
    /// State of the hash of the stored bytes; `None` at the beginning.
    pub hash: Option<Vec<u8>>,
}

impl Writer {
    pub fn new(store: Store, id: AttachmentId) -> Self {
        Self { store, id, hash: Sha256::new(), size: 0, part: BytesMut::new(), writing: None }
    }

    /// Continues after [`Writer::save`].
    pub async fn resume(store: Store, id: AttachmentId, from: &Progress) -> Result<Self, StoreError> {
        let broken = || StoreError::Unavailable("the state of an unfinished upload cannot be read".to_owned());
        let hash = match &from.hash {
            None => Sha256::new(),
            Some(state) => {
                let state = state.as_slice().try_into().map_err(|_| broken())?;
                Sha256::deserialize(state).map_err(|_| broken())?
            }
        };
        let mut part = BytesMut::new();
        let unfinished = from.size % PART_BYTES as u64;
        if unfinished > 0 {
            part.extend_from_slice(&store.read_tail(id, from.size).await?);
            if part.len() as u64 != unfinished {
                return Err(broken());
            }
        }
        Ok(Self { store, id, hash, size: from.size, part, writing: None })
    }

    /// Number of bytes that were pushed, stored or not.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds bytes. Waits until the previous part is stored. Returns whether a part was filled.
    pub async fn push(&mut self, mut bytes: Bytes) -> Result<bool, StoreError> {
        let mut filled = false;
        while !bytes.is_empty() {
            let taken = bytes.split_to(bytes.len().min(PART_BYTES - self.part.len()));
            self.hash.update(&taken);
            self.size += taken.len() as u64;
            if self.part.capacity() == 0 {
                self.part.reserve(INITIAL_BUFFER_BYTES);
            }
            // Copied, so that many small chunks do not each keep the buffer into which they were read.
            self.part.extend_from_slice(&taken);
            if self.part.len() == PART_BYTES {
                self.write_part().await?;
                filled = true;
            }
        }
        Ok(filled)
    }

    async fn write_part(&mut self) -> Result<(), StoreError> {
        self.settle().await?;
        let bytes = std::mem::take(&mut self.part).freeze();
        let index = (self.size - 1) / PART_BYTES as u64;
        let (store, id) = (self.store.clone(), self.id);
        self.writing = Some(tokio::spawn(async move { store.put_part(id, index, bytes).await }));
        Ok(())
    }

    /// Waits for the write in progress.
    pub async fn settle(&mut self) -> Result<(), StoreError> {
        match self.writing.take() {
            None => Ok(()),
            Some(writing) => writing.await.map_err(|e| StoreError::Unavailable(e.to_string()))?,
        }
    }

    /// Stores all bytes so far, so that [`Writer::resume`] can continue.
    pub async fn save(&mut self) -> Result<Progress, StoreError> {
        self.settle().await?;
        if !self.part.is_empty() {
            self.store.put_tail(self.id, self.size, Bytes::copy_from_slice(&self.part)).await?;
        }
        Ok(Progress { size: self.size, hash: Some(self.hash.serialize().to_vec()) })
    }

    /// Removes the tail that was saved at byte `at`, after a later save.
    pub async fn forget(&self, at: u64) -> Result<(), StoreError> {
        let was_unfinished = !at.is_multiple_of(PART_BYTES as u64);
        if was_unfinished && at != self.size { self.store.remove_tail(self.id, at).await } else { Ok(()) }
    }

    /// Stores the last part. No more bytes may be pushed.
    pub async fn finish(&mut self) -> Result<StoredFile, StoreError> {
        if !self.part.is_empty() {
            self.write_part().await?;
        }
        self.settle().await?;
        Ok(StoredFile { size: self.size, sha256: self.hash.clone().finalize().into() })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::TryStreamExt;
    use object_store::memory::InMemory;
    use uuid::Uuid;

    use super::*;

    fn file(size: usize) -> Vec<u8> {
        (0..size).map(|i| (i * 31 + i / 251) as u8).collect()
    }

    async fn content(store: &Store, id: AttachmentId, size: u64) -> Vec<u8> {
        store.read(id, 0..size).try_collect::<Vec<_>>().await.expect("stored").concat()
    }

    #[tokio::test]
    async fn data_is_read_back_unchanged_for_any_chunk_size() {
        let store = Store::new(Arc::new(InMemory::new()));
        for (n, size) in [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES + 17].into_iter().enumerate()
        {
            let (id, bytes) = (AttachmentId(Uuid::from_u128(n as u128)), file(size));
            let mut writer = Writer::new(store.clone(), id);
            for chunk in bytes.chunks(700_001) {
                writer.push(Bytes::copy_from_slice(chunk)).await.expect("stored");
            }
            let whole = writer.finish().await.expect("stored");
            assert_eq!((whole.size, whole.sha256), (size as u64, Sha256::digest(&bytes).into()));
            assert_eq!(content(&store, id, whole.size).await, bytes);
            store.remove(id).await.expect("removed");
            assert!(size == 0 || store.read(id, 0..1).try_collect::<Vec<_>>().await.is_err());
        }
    }

    #[tokio::test]
    async fn another_writer_continues_where_one_stopped() {
        let (store, id) = (Store::new(Arc::new(InMemory::new())), AttachmentId(Uuid::from_u128(1)));
        let bytes = file(2 * PART_BYTES + 99);
        let mut progress = Progress::default();
        for end in [10, 500_000, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 1] {
            let mut writer = Writer::resume(store.clone(), id, &progress).await.expect("saved");
            let at = usize::try_from(progress.size).expect("small");
            writer.push(Bytes::copy_from_slice(&bytes[at..end])).await.expect("stored");
            let saved = writer.save().await.expect("saved");
            writer.forget(progress.size).await.expect("forgotten");
            progress = saved;
        }
        let mut writer = Writer::resume(store.clone(), id, &progress).await.expect("saved");
        writer.push(Bytes::copy_from_slice(&bytes[2 * PART_BYTES + 1..])).await.expect("stored");
        let whole = writer.finish().await.expect("stored");
        assert_eq!(whole.sha256, <[u8; 32]>::from(Sha256::digest(&bytes)));
        assert_eq!(content(&store, id, whole.size).await, bytes);
    }
}
