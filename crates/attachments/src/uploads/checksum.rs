use sha1::Sha1;
use sha2::{Digest, Sha256};

/// As they are called in the protocol tus.
pub const ALGORITHMS: &str = "sha1,sha256";

/// The checksum that a client announced of a request's body, and the hash of what has come of it.
#[derive(Clone)]
pub struct Checksum {
    hash: Hash,
    wanted: Vec<u8>,
}

#[derive(Clone)]
enum Hash {
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Checksum {
    /// `None` for an algorithm that is not known, and for a sum that is none of it.
    pub fn new(algorithm: &str, wanted: Vec<u8>) -> Option<Self> {
        let (hash, bytes) = match algorithm {
            "sha1" => (Hash::Sha1(Sha1::new()), 20),
            "sha256" => (Hash::Sha256(Sha256::new()), 32),
            _ => return None,
        };
        (wanted.len() == bytes).then_some(Self { hash, wanted })
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.hash {
            Hash::Sha1(hash) => hash.update(bytes),
            Hash::Sha256(hash) => hash.update(bytes),
        }
    }

    pub fn is_right(self) -> bool {
        match self.hash {
            Hash::Sha1(hash) => *hash.finalize() == *self.wanted,
            Hash::Sha256(hash) => *hash.finalize() == *self.wanted,
        }
    }
}
