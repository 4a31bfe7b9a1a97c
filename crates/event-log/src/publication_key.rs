//! Signatures of published messages: HMAC-SHA256 (RFC 2104) under a key that only the database has. Whoever may write to
//! NATS can forge a message, and not its signature.

use sha2::{Digest as _, Sha256};
use sqlx::PgExecutor;
use uuid::Uuid;

/// Header of a message with its signature.
pub const SIGNATURE_HEADER: &str = "Taskfold-Signature";
/// Block of SHA-256.
const BLOCK: usize = 64;

/// Key of the messages of a log.
#[derive(Clone)]
pub struct PublicationKey(Vec<u8>);

/// Reads the key. The projector and the live feed may.
pub async fn publication_key(db: impl PgExecutor<'_>) -> sqlx::Result<PublicationKey> {
    sqlx::query_scalar!("SELECT key FROM publication_key").fetch_one(db).await.map(PublicationKey)
}

impl PublicationKey {
    /// Signs the message at a position of the log.
    pub fn sign(&self, log: Uuid, position: i64, payload: &[u8]) -> String {
        let code = hmac(&self.0, &[log.as_bytes(), &position.to_be_bytes(), payload]);
        code.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Tells whether the signature is that of the message.
    pub fn has_signed(&self, log: Uuid, position: i64, payload: &[u8], signature: &str) -> bool {
        let expected = self.sign(log, position, payload);
        // In the same time, however much of it is right.
        expected.len() == signature.len()
            && expected.bytes().zip(signature.bytes()).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
    }
}

/// `key` has at most the length of a block.
fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let padded = |pad: u8| {
        let mut block = [pad; BLOCK];
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        Sha256::new().chain_update(block)
    };
    let inner = parts.iter().fold(padded(0x36), |hash, part| hash.chain_update(part));
    padded(0x5c).chain_update(inner.finalize()).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test cases 1 and 2.
    #[test]
    fn the_code_is_that_of_the_standard() {
        let hex = |code: [u8; 32]| code.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(
            hex(hmac(&[0x0b; 20], &[b"Hi ", b"There"])),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
        assert_eq!(
            hex(hmac(b"Jefe", &[b"what do ya want for nothing?"])),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn a_signature_is_of_one_message_in_one_log() {
        let (key, log) = (PublicationKey(vec![7; 32]), Uuid::from_u128(1));
        let signature = key.sign(log, 3, b"{}");
        assert!(key.has_signed(log, 3, b"{}", &signature));
        assert!(!key.has_signed(Uuid::from_u128(2), 3, b"{}", &signature), "of another log");
        assert!(!key.has_signed(log, 4, b"{}", &signature), "at another position");
        assert!(!key.has_signed(log, 3, b"{ }", &signature), "of another payload");
        assert!(!PublicationKey(vec![8; 32]).has_signed(log, 3, b"{}", &signature), "with another key");
        for other in ["", "0", &signature[1..]] {
            assert!(!key.has_signed(log, 3, b"{}", other), "{other:?}");
        }
    }
}
