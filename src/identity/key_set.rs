//! Public keys of an external OIDC issuer, and the verification of signatures with them.

use std::collections::HashMap;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, dangerous};
use serde_json::{Map, Value};
use taskfold_web::auth::Rejected;

/// Minimum length of a modulus in base64url: 2048 bits. Smaller keys can be factored.
const RSA_CHARS: usize = 342;

/// A key with its only algorithm.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

/// Usable signature keys of a JWKS (RFC 7517): RS256, ES256, EdDSA.
#[derive(Clone, Default)]
pub(super) struct KeySet {
    named: HashMap<String, Key>,
    /// The key, if the set has exactly one: it is used for tokens without a key id.
    single: Option<Key>,
}

impl KeySet {
    /// Reads the usable keys, and ignores others that the issuer may have.
    pub(super) fn read(jwks: &Value) -> Self {
        let all = jwks["keys"].as_array().into_iter().flatten();
        let jwks = all.filter_map(|key| serde_json::from_value::<Jwk>(with_older_name(key)).ok());
        let usable: Vec<(Option<String>, Key)> =
            jwks.filter_map(|jwk| Some((jwk.common.key_id.clone(), Key::of(&jwk)?))).collect();
        let single = match usable.as_slice() {
            [(_, key)] => Some(key.clone()),
            _ => None,
        };
        Self { named: usable.into_iter().filter_map(|(kid, key)| Some((kid?, key))).collect(), single }
    }

    pub(super) fn find(&self, kid: Option<&str>) -> Option<&Key> {
        match kid {
            Some(kid) => self.named.get(kid),
            None => self.single.as_ref(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.named.len().max(usize::from(self.single.is_some()))
    }
}

/// Replaces the algorithm name `Ed25519` of RFC 9864 by `EdDSA`, which the JWK library knows.
fn with_older_name(key: &Value) -> Value {
    let mut key = key.clone();
    if key["crv"] == "Ed25519" && key["alg"] == "Ed25519" {
        key["alg"] = "EdDSA".into();
    }
    key
}

impl Key {
    /// Verifies the signature of a token, and returns its claims.
    pub(super) fn verified(&self, alg: &str, token: &str) -> Result<Map<String, Value>, Rejected> {
        let names: &[&str] = match self.algorithm {
            Algorithm::RS256 => &["RS256"],
            Algorithm::ES256 => &["ES256"],
            Algorithm::EdDSA => &["EdDSA", "Ed25519"],
            _ => &[],
        };
        let (message, signature) = token.rsplit_once('.').ok_or(Rejected::Invalid)?;
        let signed = names.contains(&alg)
            && message.matches('.').count() == 1
            && jsonwebtoken::crypto::verify(signature, message.as_bytes(), &self.decoding, self.algorithm)?;
        if signed { Ok(dangerous::insecure_decode_claims(token)?) } else { Err(Rejected::Invalid) }
    }

    /// Takes the algorithm from the key: a token that names another one is not verified with it.
    fn of(jwk: &Jwk) -> Option<Self> {
        if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return None;
        }
        let (algorithm, named) = match &jwk.algorithm {
            AlgorithmParameters::RSA(rsa) if rsa.n.len() >= RSA_CHARS => (Algorithm::RS256, KeyAlgorithm::RS256),
            AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => {
                (Algorithm::ES256, KeyAlgorithm::ES256)
            }
            AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
                (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
            }
            _ => return None,
        };
        if jwk.common.key_algorithm.is_some_and(|said| said != named) {
            return None;
        }
        Some(Self { algorithm, decoding: DecodingKey::from_jwk(jwk).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn okp(kid: &str) -> Value {
        // The example of RFC 8037, appendix A.2.
        json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    }

    #[test]
    fn unusable_keys_are_left_out_and_the_algorithm_is_that_of_the_key() {
        let with = |name: &str, value: &str| {
            let mut key = okp(value);
            key[name] = value.into();
            key
        };
        let set = KeySet::read(&json!({"keys": [
            okp("good"),
            with("use", "enc"),
            with("alg", "RS256"),
            with("alg", "Ed25519"),
            {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
            {"kty": "RSA", "kid": "small", "n": "AQAB", "e": "AQAB"},
            {"kty": "made up", "kid": "x"},
            7,
        ]}));
        assert_eq!(set.len(), 2);
        assert!(set.find(Some("Ed25519")).is_some(), "as RFC 9864 calls its algorithm");
        assert_eq!(set.find(Some("good")).map(|key| key.algorithm), Some(Algorithm::EdDSA));
        let one = KeySet::read(&json!({"keys": [okp("a")]}));
        assert!(one.find(None).is_some(), "one key needs no name");
        let two = KeySet::read(&json!({"keys": [okp("a"), okp("b")]}));
        assert!(two.find(None).is_none() && two.find(Some("b")).is_some());
        assert_eq!(KeySet::read(&json!([])).len(), 0);
    }
}
