//! Tests of the verification of tokens.

use chrono::{DateTime, TimeDelta};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{EncodePrivateKey, EncodePublicKey};
use taskfold_domain::ids::UserId;
use taskfold_event_log::FixedClock;

use super::super::signer::Signer;
use super::*;

const KID: &str = "a";
const USER: UserId = UserId(Uuid::from_u128(1));
const SESSION: Uuid = Uuid::from_u128(2);

fn clock() -> FixedClock {
    FixedClock::new(DateTime::UNIX_EPOCH.into())
}

fn signer_and_verifier() -> (Signer, Verifier) {
    signer_and_verifier_with(&clock())
}

fn signer_and_verifier_with(time: &FixedClock) -> (Signer, Verifier) {
    let key = SigningKey::from_bytes(&[7; 32]);
    let private = key.to_pkcs8_pem(LineEnding::LF).expect("a private key");
    let public = key.verifying_key().to_public_key_pem(LineEnding::LF).expect("a public key");
    let verifier = Verifier::new(time.clock());
    verifier.replace(vec![(KID.to_owned(), public)]).expect("a key");
    (Signer::new(KID.to_owned(), &private, time.clock()).expect("a key"), verifier)
}

#[tokio::test]
async fn a_cached_token_is_refused_once_its_key_is_removed() {
    let (signer, verifier) = signer_and_verifier();
    let token = signer.access_token(USER, SESSION).expect("a token");
    for _ in 0..2 {
        assert_eq!(verifier.verify(&token).await.map(|caller| caller.user_id), Ok(USER));
    }
    verifier.replace(vec![]).expect("no keys");
    assert_eq!(verifier.verify(&token).await, Err(Rejected::Invalid));
}

#[tokio::test]
async fn an_access_token_is_valid_for_its_lifetime_and_the_leeway() {
    let time = clock();
    let (signer, verifier) = signer_and_verifier_with(&time);
    let without_cache = signer_and_verifier_with(&time).1;
    let token = signer.access_token(USER, SESSION).expect("a token");
    assert_eq!(verifier.verify(&token).await.map(|caller| caller.expires_at), Ok(ACCESS_TOKEN_SECONDS));
    time.advance(TimeDelta::seconds(ACCESS_TOKEN_SECONDS + 2));
    assert!(verifier.verify(&token).await.is_ok());
    time.advance(TimeDelta::seconds(1));
    assert_eq!(verifier.verify(&token).await, Err(Rejected::Expired));
    assert_eq!(without_cache.verify(&token).await, Err(Rejected::Expired));
}

/// Tokens are created and verified by the time of the database, which the clock of a machine may be far from.
#[tokio::test]
async fn a_token_is_valid_whatever_the_clock_of_the_machine_shows() {
    let (behind, ahead) = (clock(), clock());
    ahead.advance(TimeDelta::hours(3));
    behind.clock().correct(TimeDelta::hours(3));
    let (signer, verifier) = (signer_and_verifier_with(&ahead).0, signer_and_verifier_with(&behind).1);
    let token = signer.access_token(USER, SESSION).expect("a token");
    assert_eq!(verifier.verify(&token).await.map(|caller| caller.user_id), Ok(USER));
    behind.advance(TimeDelta::seconds(ACCESS_TOKEN_SECONDS + 3));
    assert_eq!(verifier.verify(&token).await, Err(Rejected::Expired));
}

#[tokio::test]
async fn a_ticket_opens_streams_for_a_minute_and_is_held_for_as_long_as_an_access_token() {
    let time = clock();
    let (signer, verifier) = signer_and_verifier_with(&time);
    let token = signer.access_token(USER, SESSION).expect("a token");
    let ticket = signer.ticket(&verifier.verify(&token).await.expect("a caller")).expect("a ticket");
    time.advance(TimeDelta::seconds(TICKET_SECONDS + 2));
    let (caller, opened) = verifier.verify_ticket(&ticket).await.expect("within the leeway");
    assert_eq!((caller.expires_at, opened.expires_at), (ACCESS_TOKEN_SECONDS, TICKET_SECONDS));
    time.advance(TimeDelta::seconds(1));
    assert_eq!(verifier.verify_ticket(&ticket).await.err(), Some(Rejected::Expired));
    assert_eq!(verifier.verify_held_ticket(&ticket).await.map(|caller| caller.user_id), Ok(USER));
    time.advance(TimeDelta::seconds(ACCESS_TOKEN_SECONDS - TICKET_SECONDS - 4));
    assert!(verifier.verify_held_ticket(&ticket).await.is_ok(), "in the last second");
    time.advance(TimeDelta::seconds(1));
    assert_eq!(verifier.verify_held_ticket(&ticket).await, Err(Rejected::Expired));
}

#[tokio::test]
async fn a_ticket_of_an_outside_token_ends_with_it() {
    let time = clock();
    let (signer, verifier) = signer_and_verifier_with(&time);
    let caller = Caller {
        user_id: USER,
        means: Means::Outside,
        scope: crate::Scope::FULL,
        expires_at: 30,
        authenticated_at: None,
    };
    let ticket = signer.ticket(&caller).expect("a ticket");
    time.advance(TimeDelta::seconds(29));
    let (opener, opened) = verifier.verify_ticket(&ticket).await.expect("valid as long as the token");
    assert_eq!((opener.means, opener.expires_at, opened.expires_at), (Means::Outside, 30, 30));
    time.advance(TimeDelta::seconds(1));
    assert_eq!(verifier.verify_ticket(&ticket).await.err(), Some(Rejected::Expired));
}

#[tokio::test]
async fn a_ticket_is_not_an_access_token_nor_the_reverse() {
    let (signer, verifier) = signer_and_verifier();
    let token = signer.access_token(USER, SESSION).expect("a token");
    let caller = verifier.verify(&token).await.expect("a caller");
    let ticket = signer.ticket(&caller).expect("a ticket");
    assert_eq!(verifier.verify(&ticket).await, Err(Rejected::Invalid));
    assert_eq!(verifier.verify_ticket(&token).await.map(|(caller, _)| caller), Err(Rejected::Invalid));
    assert_eq!(verifier.verify_ticket(&ticket).await.map(|(caller, _)| caller.user_id), Ok(USER));
}

/// A source of keys that counts its reads.
struct CountingSource {
    keys: Vec<(String, String)>,
    reads: std::sync::atomic::AtomicU32,
}

impl KeySource for CountingSource {
    fn public_keys(&self) -> BoxFuture<'_, Result<Vec<(String, String)>, Rejected>> {
        self.reads.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if self.keys.is_empty() { Err(Rejected::Unavailable) } else { Ok(self.keys.clone()) }
        })
    }
}

fn with_source(keys: Vec<(String, String)>) -> (Arc<CountingSource>, Verifier) {
    let source = Arc::new(CountingSource { keys, reads: Default::default() });
    (Arc::clone(&source), Verifier::new(clock().clock()).with_key_source(source))
}

#[tokio::test]
async fn an_unknown_key_is_looked_up_before_its_token_is_refused() {
    let (signer, known) = signer_and_verifier();
    let token = signer.access_token(USER, SESSION).expect("a token");
    let (source, verifier) = with_source(known.public_keys());
    assert_eq!(verifier.verify(&token).await.map(|caller| caller.user_id), Ok(USER));
    let ticket = signer.ticket(&verifier.verify(&token).await.expect("a caller")).expect("a ticket");
    assert!(verifier.verify_ticket(&ticket).await.is_ok());
    assert_eq!(source.reads.load(std::sync::atomic::Ordering::SeqCst), 1);
    let (_, away) = with_source(Vec::new());
    assert_eq!(away.verify(&token).await, Err(Rejected::Unavailable));
}

#[tokio::test]
async fn tokens_with_unknown_keys_share_a_look_up_and_wait_for_the_next() {
    let (signer, _) = signer_and_verifier();
    let token = signer.access_token(USER, SESSION).expect("a token");
    let (source, verifier) =
        with_source(vec![("other".to_owned(), signer_and_verifier().1.public_keys()[0].1.clone())]);
    let began = Instant::now();
    for _ in 0..3 {
        let all = futures::future::join_all((0..100).map(|_| verifier.verify(&token))).await;
        assert!(all.iter().all(|verified| *verified == Err(Rejected::Invalid)));
    }
    let reads = source.reads.load(std::sync::atomic::Ordering::SeqCst);
    // Each of the three waits for at most a second, and then for a look-up.
    assert!(reads <= 6 && u64::from(reads) <= 1 + began.elapsed().as_secs(), "{reads} in {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    let foreign = "eyJhbGciOiJFZERTQSIsImtpZCI6IngifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUuY29tIn0.x";
    assert_eq!(verifier.verify(foreign).await, Err(Rejected::Invalid));
    assert_eq!(source.reads.load(std::sync::atomic::Ordering::SeqCst), reads, "of another issuer");
}
