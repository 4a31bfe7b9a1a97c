//! Headers of tokens.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Rejected;

/// The header of a token, which is not verified yet.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Header {
    /// Only compared with the algorithm of the key, which decides how the token is verified.
    pub alg: String,
    pub kid: Option<String>,
    #[serde(default)]
    crit: Presence,
}

/// Presence of a member, whatever its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Presence {
    #[default]
    Absent,
    Present,
}

impl<'de> Deserialize<'de> for Presence {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self::Present)
    }
}

/// Header of a token in its compact form. A token with `crit` is rejected, because no critical extensions are supported
/// (RFC 7515, 4.1.11).
pub fn header(token: &str) -> Result<Header, Rejected> {
    let (header, _) = token.split_once('.').ok_or(Rejected::Invalid)?;
    let json = BASE64_URL_SAFE_NO_PAD.decode(header).map_err(|_| Rejected::Invalid)?;
    let header: Header = serde_json::from_slice(&json).map_err(|_| Rejected::Invalid)?;
    if header.crit == Presence::Absent { Ok(header) } else { Err(Rejected::Invalid) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_whatever_its_algorithm_and_refused_with_extensions() {
        let token = |header: &str| format!("{}.e30.x", BASE64_URL_SAFE_NO_PAD.encode(header));
        let read = header(&token(r#"{"alg": "Ed25519", "kid": "a", "typ": "JWT"}"#)).expect("a header");
        assert_eq!((read.alg.as_str(), read.kid.as_deref()), ("Ed25519", Some("a")));
        assert_eq!(header(&token(r#"{"alg": "EdDSA"}"#)).expect("a header").kid, None);
        for bad in [r#"{"alg": "EdDSA", "crit": ["b64"]}"#, r#"{"alg": "EdDSA", "crit": []}"#, r#"{"kid": "a"}"#, "x"] {
            assert_eq!(header(&token(bad)), Err(Rejected::Invalid), "{bad}");
        }
        assert_eq!(header("x"), Err(Rejected::Invalid));
    }
}
