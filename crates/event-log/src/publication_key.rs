//! Signatures of published messages: HMAC-SHA256 (RFC 2104) under a key that only the database has. Whoever may write to
//! NATS can forge a message, and not its signature.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sqlx::PgExecutor;
use uuid::Uuid;

/// Header of a message with its signature.
pub const SIGNATURE_HEADER: &str = "Taskfold-Signature";
/// Characters of a signature that are left out of a fingerprint.
const FINGERPRINT_CHARS: usize = 48;
/// Key of the messages of a log, of which the first block is hashed already.
#[derive(Clone)]
pub struct PublicationKey(Hmac<Sha256>);

/// Reads the key. The projector and the live feed may.
pub async fn publication_key(db: impl PgExecutor<'_>) -> sqlx::Result<PublicationKey> {
    let key = sqlx::query_scalar!("SELECT key FROM publication_key").fetch_one(db).await?;
    Ok(PublicationKey::new(&key))
}

impl PublicationKey {
    /// Signs the message at a position of the log, in hexadecimal.
    pub fn sign(&self, log: Uuid, position: i64, payload: &[u8]) -> String {
        hex::encode(self.code(log, position, payload).finalize().into_bytes())
    }

    /// Tells keys apart without revealing them.
    pub fn fingerprint(&self) -> String {
        self.sign(Uuid::nil(), 0, b"fingerprint").split_off(FINGERPRINT_CHARS)
    }

    /// Tells whether the signature is that of the message, in the same time however much of it is right.
    pub fn has_signed(&self, log: Uuid, position: i64, payload: &[u8], signature: &str) -> bool {
        let mut bytes = [0; 32];
        hex::decode_to_slice(signature, &mut bytes).is_ok()
            && self.code(log, position, payload).verify_slice(&bytes).is_ok()
    }

    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    fn new(key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(key).expect("a key"))
    }

    fn code(&self, log: Uuid, position: i64, payload: &[u8]) -> Hmac<Sha256> {
        let mut code = self.0.clone();
        code.update(log.as_bytes());
        code.update(&position.to_be_bytes());
        code.update(payload);
        code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_of_one_message_in_one_log() {
        let (key, log) = (PublicationKey::new(&[7; 32]), Uuid::from_u128(1));
        let signature = key.sign(log, 3, b"{}");
        assert!(key.has_signed(log, 3, b"{}", &signature));
        assert!(!key.has_signed(Uuid::from_u128(2), 3, b"{}", &signature), "of another log");
        assert!(!key.has_signed(log, 4, b"{}", &signature), "at another position");
        assert!(!key.has_signed(log, 3, b"{ }", &signature), "of another payload");
        assert!(!PublicationKey::new(&[8; 32]).has_signed(log, 3, b"{}", &signature), "with another key");
        for other in ["", "0", &signature[1..]] {
            assert!(!key.has_signed(log, 3, b"{}", other), "{other:?}");
        }
    }
}
