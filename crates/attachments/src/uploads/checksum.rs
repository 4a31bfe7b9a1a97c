//! Checksums of request bodies.

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Supported algorithms, by their names in the tus protocol.
pub const ALGORITHMS: &str = "sha1,sha256";

/// The checksum that a client declared for a request body, and the hash of the bytes that have arrived.
#[derive(Clone)]
pub struct Checksum {
    hash: Hash,
    declared: Vec<u8>,
}

#[derive(Clone)]
enum Hash {
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Checksum {
    /// `None`: the algorithm is unknown, or the checksum has the wrong length for it.
    pub fn new(algorithm: &str, declared: Vec<u8>) -> Option<Self> {
        let (hash, bytes) = match algorithm {
            "sha1" => (Hash::Sha1(Sha1::new()), 20),
            "sha256" => (Hash::Sha256(Sha256::new()), 32),
            _ => return None,
        };
        (declared.len() == bytes).then_some(Self { hash, declared })
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.hash {
            Hash::Sha1(hash) => hash.update(bytes),
            Hash::Sha256(hash) => hash.update(bytes),
        }
    }

    pub fn matches(self) -> bool {
        match self.hash {
            Hash::Sha1(hash) => *hash.finalize() == *self.declared,
            Hash::Sha256(hash) => *hash.finalize() == *self.declared,
        }
    }
}
