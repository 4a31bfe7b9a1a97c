//! Streams from the first frame to the last, with a hub and without a database.

use chrono::{DateTime, TimeDelta};
use futures::{FutureExt, Stream, StreamExt};
use sqlx::PgPool;
use taskfold_domain::ids::UserId;
use taskfold_event_log::{FixedClock, LogIdentity};
use tokio::sync::watch;
use tokio::time::Instant;

use super::super::frame::{ChannelId, FrameKind};
use super::super::permission::ProjectPermission;
use super::super::registry::{ChangeRequest, StreamChange};
use super::super::revocations::Revocation;
use super::super::stream_quota::StreamQuotas;
use super::super::takeover::Takeover;
use super::super::writer_threads::WriterThreads;
use super::*;

const A: Uuid = Uuid::from_u128(1);
const B: Uuid = Uuid::from_u128(2);
const USER: Uuid = Uuid::from_u128(3);

struct Fixture {
    hub: Arc<Hub>,
    time: FixedClock,
    shutdown: CancellationToken,
}

impl Fixture {
    fn new() -> Self {
        let pool = PgPool::connect_lazy("postgres://nowhere.invalid/none").expect("a URL");
        let log = watch::channel(LogIdentity { id: Uuid::nil(), former: vec![], forks: vec![] }).1;
        let time = FixedClock::new(DateTime::UNIX_EPOCH.into());
        let quotas = StreamQuotas::new(std::num::NonZeroU32::MAX);
        let hub = Hub::new(pool, log, quotas, WriterThreads::start().expect("threads"), time.clock());
        hub.publish(vec![], 10);
        Self { hub, time, shutdown: CancellationToken::new() }
    }

    fn stream(&self, projects: &[Uuid], lifetime: i64) -> impl Stream<Item = String> + use<> {
        Takeover::new(self.subscriber(projects, lifetime)).body().flat_map(frames).boxed()
    }

    fn subscriber(&self, projects: &[Uuid], lifetime: i64) -> Subscriber {
        Subscriber::new(self.hub.clone(), self.options(projects, lifetime), self.shutdown.clone())
    }

    fn options(&self, projects: &[Uuid], lifetime: i64) -> SubscriberOptions {
        let permissions = projects.iter().map(|project| ProjectPermission::of_member(*project, 10));
        SubscriberOptions {
            user: UserId(USER),
            expires_at: self.expiry(lifetime),
            revoked_token: std::future::pending().boxed(),
            api_token: None,
            projects: permissions.collect(),
            revoked: vec![],
            from: None,
            me: false,
            slot: self.hub.quotas().take(USER).expect("free"),
            presence: true,
        }
    }

    /// Expiry of a token with this lifetime in seconds.
    fn expiry(&self, lifetime: i64) -> i64 {
        self.hub.clock().unix_seconds() + lifetime
    }

    fn publish(&self, position: i64, project: Uuid, removes: Option<Uuid>) {
        let bytes = Bytes::from(format!("id: {position}\nevent: task.x\ndata: {{}}\n\n"));
        let (at, channel) = (Cursor::after(position), ChannelId::Project(project));
        let event = Frame { at, channel, kind: FrameKind::Plain, bytes };
        let revocation = removes.map(|user| Frame::of_revocation(&Revocation { position, project, user }));
        self.hub.publish([event].into_iter().chain(revocation).collect(), position);
    }
}

/// A chunk may have several frames.
fn frames(chunk: Result<Bytes, std::convert::Infallible>) -> impl Stream<Item = String> {
    let chunk = String::from_utf8(chunk.expect("infallible").to_vec()).expect("UTF-8");
    futures::stream::iter(chunk.split_inclusive("\n\n").map(str::to_owned).collect::<Vec<_>>())
}

/// The id and the event of a frame.
fn named(frame: &str) -> (String, String) {
    let field = |name: &str| {
        frame.lines().find_map(|l| l.strip_prefix(name)).and_then(|v| v.strip_prefix(": ")).unwrap_or("").to_owned()
    };
    (field("id"), field("event"))
}

async fn next(stream: &mut (impl Stream<Item = String> + Unpin)) -> Option<(String, String)> {
    stream.next().await.map(|frame| named(&frame))
}

fn frame(id: &str, event: &str) -> Option<(String, String)> {
    Some((id.to_owned(), event.to_owned()))
}

#[tokio::test(start_paused = true)]
async fn events_come_in_order_and_a_heartbeat_advances_the_cursor() {
    let fixture = Fixture::new();
    let mut stream = fixture.stream(&[A, B], 600);
    assert_eq!(next(&mut stream).await, frame("10", "hello"));
    fixture.publish(11, B, None);
    fixture.publish(12, A, None);
    assert_eq!(next(&mut stream).await, frame("11", "task.x"));
    assert_eq!(next(&mut stream).await, frame("12", "task.x"));
    fixture.publish(13, Uuid::nil(), None);
    assert_eq!(next(&mut stream).await, frame("13", "heartbeat"));
}

/// Events of other projects do not wake the stream: the heartbeat must read how far the log is.
#[tokio::test(start_paused = true)]
async fn a_heartbeat_covers_events_of_other_projects() {
    let fixture = Fixture::new();
    let mut stream = fixture.stream(&[A], 600);
    assert_eq!(next(&mut stream).await, frame("10", "hello"));
    let (heartbeat, ()) = tokio::join!(next(&mut stream), async {
        tokio::time::sleep(deadlines::HEARTBEAT / 2).await;
        fixture.publish(11, B, None);
    });
    assert_eq!(heartbeat, frame("11", "heartbeat"));
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_never_has_a_position_that_was_not_served() {
    let fixture = Fixture::new();
    let mut stream = fixture.stream(&[A], 600);
    next(&mut stream).await;
    (11..=13).for_each(|position| fixture.publish(position, A, None));
    assert_eq!(next(&mut stream).await, frame("11", "task.x"));
    tokio::time::sleep(deadlines::HEARTBEAT * 2).await;
    assert_eq!(next(&mut stream).await, frame("12", "task.x"));
    assert_eq!(next(&mut stream).await, frame("13", "task.x"));
    assert_eq!(next(&mut stream).await, frame("13", "heartbeat"));
}

#[tokio::test(start_paused = true)]
async fn a_removed_member_gets_the_removal_and_nothing_after_it() {
    let fixture = Fixture::new();
    let mut stream = fixture.stream(&[A, B], 600);
    next(&mut stream).await;
    fixture.publish(11, A, Some(USER));
    fixture.publish(12, A, None);
    fixture.publish(13, B, None);
    fixture.publish(14, B, Some(Uuid::nil()));
    fixture.publish(15, B, Some(USER));
    let mut seen = Vec::new();
    while let Some(frame) = next(&mut stream).await {
        seen.push(frame);
    }
    let expected =
        [("11", "task.x"), ("", "revoked"), ("13", "task.x"), ("14", "task.x"), ("15", "task.x"), ("", "revoked")];
    assert_eq!(seen, expected.map(|(id, event)| (id.to_owned(), event.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_ends_the_stream() {
    let fixture = Fixture::new();
    let mut stream = fixture.stream(&[A], 300);
    next(&mut stream).await;
    let begun = Instant::now();
    let mut ends = Vec::new();
    while let Some(text) = stream.next().await {
        let (_, event) = named(&text);
        if event == "reauth" {
            ends.push((begun.elapsed().as_secs(), text.contains("\"expires_in\":0,")));
        }
    }
    // In time to renew it, and at the expiry.
    assert_eq!(ends, [(240, false), (300, true)]);
}

#[tokio::test(start_paused = true)]
async fn a_renewed_stream_continues() {
    let fixture = Fixture::new();
    let options = fixture.options(&[A], 300);
    let subscriber = Subscriber::new(fixture.hub.clone(), options, fixture.shutdown.clone());
    let handle = Arc::clone(&subscriber.registration.stream.handle);
    let mut stream = Takeover::new(subscriber).body().flat_map(frames).boxed();
    let change = |lifetime: i64| StreamChange {
        add: vec![],
        only_these: false,
        remove: vec![],
        me: None,
        expires_at: fixture.expiry(lifetime),
        revoked_token: std::future::pending().boxed(),
    };
    while named(&stream.next().await.expect("it continues")).1 != "reauth" {}
    fixture.time.advance(TimeDelta::seconds(240));
    let (reply, changed) = tokio::sync::oneshot::channel();
    handle.send(ChangeRequest { change: change(600), reply });
    let renewed = Instant::now();
    while named(&stream.next().await.expect("it continues")).1 != "reauth" {}
    assert_eq!(changed.await.expect("an answer").expect("renewed").projects, [A]);
    assert_eq!(renewed.elapsed().as_secs(), 540);
    // A token that expires earlier changes nothing.
    let (reply, changed) = tokio::sync::oneshot::channel();
    handle.send(ChangeRequest { change: change(1), reply });
    assert_eq!(named(&stream.next().await.expect("it continues")).1, "heartbeat");
    assert!(changed.await.expect("an answer").is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_draining_server_sends_the_served_cursor() {
    let fixture = Fixture::new();
    let mut stream = fixture.stream(&[A], 600);
    next(&mut stream).await;
    fixture.publish(11, A, None);
    assert_eq!(next(&mut stream).await, frame("11", "task.x"));
    fixture.shutdown.cancel();
    let last = stream.next().await.expect("a last frame");
    assert!(last.starts_with("retry: "), "{last}");
    assert_eq!(named(&last), ("11".to_owned(), "drain".to_owned()));
    assert_eq!(next(&mut stream).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_falls_behind_the_ring_is_lagging() {
    let fixture = Fixture::new();
    let mut stream = fixture.stream(&[A], 600);
    next(&mut stream).await;
    fixture.publish(11, A, None);
    assert_eq!(next(&mut stream).await, frame("11", "task.x"));
    (12..=700).for_each(|position| fixture.publish(position, A, None));
    assert_eq!(next(&mut stream).await, frame("11", "lagging"));
}

const JOINED: Bytes = Bytes::from_static(b"event: presence.joined\ndata: {}\n\n");

async fn next_of(subscriber: &mut Subscriber) -> (String, String) {
    let chunk = subscriber.next().await.expect("the stream continues");
    named(std::str::from_utf8(&chunk).expect("UTF-8"))
}

/// Polls until the stream waits.
fn is_waiting(subscriber: &mut Subscriber) -> bool {
    std::pin::pin!(subscriber.next()).now_or_never().is_none()
}

#[tokio::test(start_paused = true)]
async fn an_idle_stream_gets_presence_and_a_busy_one_gets_stale() {
    let fixture = Fixture::new();
    let mut subscriber = fixture.subscriber(&[A], 600);
    let queue = subscriber.channels.ephemeral.clone().expect("presence is carried");
    assert_eq!(next_of(&mut subscriber).await.1, "hello");
    assert!(is_waiting(&mut subscriber));
    // The previous future was dropped; this one parks again.
    let (received, ()) = tokio::join!(next_of(&mut subscriber), async { queue.push(A, &JOINED) });
    assert_eq!(received, (String::new(), "presence.joined".to_owned()));
    queue.push(A, &JOINED);
    queue.push(A, &JOINED);
    fixture.publish(11, A, None);
    assert_eq!(next_of(&mut subscriber).await.1, "task.x");
    assert_eq!(next_of(&mut subscriber).await, (String::new(), "presence.stale".to_owned()));
    assert_eq!(next_of(&mut subscriber).await, ("11".to_owned(), "heartbeat".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_removed_member_gets_no_more_presence() {
    let fixture = Fixture::new();
    let mut subscriber = fixture.subscriber(&[A, B], 600);
    let queue = subscriber.channels.ephemeral.clone().expect("presence is carried");
    next_of(&mut subscriber).await;
    let mut seen = Vec::new();
    let ((), ()) = tokio::join!(
        async {
            for _ in 0..4 {
                seen.push(next_of(&mut subscriber).await.1);
            }
        },
        async {
            // Together, while it waits: presence counts as after the removal.
            fixture.publish(11, A, Some(USER));
            queue.push(A, &JOINED);
            queue.push(B, &JOINED);
        }
    );
    assert_eq!(seen, ["task.x", "revoked", "presence.joined", "heartbeat"]);
}
