//! `GET /.well-known/jwks.json`: get the public keys with which access tokens are verified.

use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde::Serialize;
use taskfold_web::auth::Verifier;
use utoipa::ToSchema;

/// A JSON Web Key Set (RFC 7517).
#[derive(Serialize, ToSchema)]
pub struct Jwks {
    keys: Vec<Jwk>,
}

/// An Ed25519 public key (RFC 8037).
#[derive(Serialize, ToSchema)]
pub struct Jwk {
    #[schema(example = "OKP")]
    kty: &'static str,
    #[schema(example = "Ed25519")]
    crv: &'static str,
    #[schema(example = "EdDSA")]
    alg: &'static str,
    r#use: &'static str,
    kid: String,
    x: String,
}

/// Get the public keys with which access tokens are verified.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", operation_id = "getJwks", tag = "accounts",
    responses((status = 200, description = "The keys", body = Jwks))
)]
pub async fn handler(State(verifier): State<Verifier>) -> Json<Jwks> {
    let keys = verifier
        .public_keys()
        .into_iter()
        .filter_map(|(kid, pem)| {
            Some(Jwk { kty: "OKP", crv: "Ed25519", alg: "EdDSA", r#use: "sig", kid, x: raw_key(&pem)? })
        })
        .collect();
    Json(Jwks { keys })
}

/// Raw key: the last 32 bytes of the SubjectPublicKeyInfo (RFC 8410).
fn raw_key(pem: &str) -> Option<String> {
    let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = BASE64_STANDARD.decode(base64.trim()).ok()?;
    der.get(der.len().checked_sub(32)?..).map(|key| BASE64_URL_SAFE_NO_PAD.encode(key))
}
