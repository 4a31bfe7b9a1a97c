use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{EncodePrivateKey, EncodePublicKey};
use taskfold_domain::ids::UserId;

use super::super::signer::Signer;
use super::*;

const KID: &str = "a";
const USER: UserId = UserId(Uuid::from_u128(1));
const SESSION: Uuid = Uuid::from_u128(2);

fn scene() -> (Signer, Verifier) {
    let key = SigningKey::from_bytes(&[7; 32]);
    let private = key.to_pkcs8_pem(LineEnding::LF).expect("a private key");
    let public = key.verifying_key().to_public_key_pem(LineEnding::LF).expect("a public key");
    let verifier = Verifier::default();
    verifier.replace(vec![(KID.to_owned(), public)]).expect("a key");
    (Signer::new(KID.to_owned(), &private).expect("a key"), verifier)
}

#[tokio::test]
async fn a_token_seen_before_is_refused_once_its_key_is_gone() {
    let (signer, verifier) = scene();
    let token = signer.access_token(USER, SESSION).expect("a token");
    for _ in 0..2 {
        assert_eq!(verifier.verify(&token).await.map(|caller| caller.user_id), Ok(USER));
    }
    verifier.replace(vec![]).expect("no keys");
    assert_eq!(verifier.verify(&token).await, Err(Rejected::Invalid));
}

#[tokio::test]
async fn a_token_seen_before_ends_all_the_same() {
    let (signer, verifier) = scene();
    let token = signer.access_token(USER, SESSION).expect("a token");
    verifier.verify(&token).await.expect("good, and seen");
    let mut claims = verifier.seen.get(&token).await.expect("what was seen");
    claims.exp -= 2 * ACCESS_TOKEN_SECONDS;
    verifier.seen.insert(token.clone(), claims).await;
    assert_eq!(verifier.verify(&token).await, Err(Rejected::Expired));
}

#[tokio::test]
async fn a_ticket_is_no_access_token_and_the_other_way_round() {
    let (signer, verifier) = scene();
    let token = signer.access_token(USER, SESSION).expect("a token");
    let caller = verifier.verify(&token).await.expect("a caller");
    let ticket = signer.ticket(&caller).expect("a ticket");
    assert_eq!(verifier.verify(&ticket).await, Err(Rejected::Invalid));
    assert_eq!(verifier.verify_ticket(&token).await.map(|(caller, _)| caller), Err(Rejected::Invalid));
    assert_eq!(verifier.verify_ticket(&ticket).await.map(|(caller, _)| caller.user_id), Ok(USER));
}
