use futures::{FutureExt, Stream, StreamExt};
use sqlx::PgPool;
use taskfold_domain::ids::UserId;
use taskfold_event_log::LogIdentity;
use tokio::sync::watch;

use super::super::frame::Kind;
use super::super::losses::Loss;
use super::super::open::{Ask, Wish};
use super::super::places::Places;
use super::super::wire::Takeover;
use super::super::writers::Writers;
use super::*;

const A: Uuid = Uuid::from_u128(1);
const B: Uuid = Uuid::from_u128(2);
const USER: Uuid = Uuid::from_u128(3);

struct World {
    hub: Arc<Hub>,
    shutdown: CancellationToken,
}

impl World {
    fn new() -> Self {
        let pool = PgPool::connect_lazy("postgres://nowhere.invalid/none").expect("a URL");
        let log = watch::channel(LogIdentity { id: Uuid::nil(), former: vec![], forks: vec![] }).1;
        let hub = Hub::new(pool, log, Places::new(std::num::NonZeroU32::MAX), Writers::start().expect("threads"));
        hub.publish(vec![], 10);
        Self { hub, shutdown: CancellationToken::new() }
    }

    fn follow(&self, projects: &[Uuid], lives: i64) -> impl Stream<Item = String> + use<> {
        Takeover::new(self.follower(projects, lives)).body().flat_map(frames).boxed()
    }

    fn follower(&self, projects: &[Uuid], lives: i64) -> Follower {
        Follower::new(self.hub.clone(), self.opening(projects, lives), self.shutdown.clone())
    }

    fn opening(&self, projects: &[Uuid], lives: i64) -> Opening {
        let expires_at = clock::now().utc().timestamp() + lives;
        let doors = projects.iter().map(|project| Door { project: *project, member_at: 10 });
        Opening {
            user: UserId(USER),
            expires_at,
            revoked_token: None,
            projects: doors.collect(),
            revoked: vec![],
            from: None,
            me: false,
            place: self.hub.places().take(USER).expect("free"),
            presence: true,
        }
    }

    fn happens(&self, position: i64, project: Uuid, removes: Option<Uuid>) {
        let bytes = Bytes::from(format!("id: {position}\nevent: task.x\ndata: {{}}\n\n"));
        let (at, channel) = (Cursor::behind(position), Channel::Project(project));
        let event = Frame { at, channel, kind: Kind::Plain, bytes };
        let loss = removes.map(|user| Frame::of_loss(&Loss { position, project, user }));
        self.hub.publish([event].into_iter().chain(loss).collect(), position);
    }
}

/// A piece may be several frames.
fn frames(piece: Result<Bytes, std::convert::Infallible>) -> impl Stream<Item = String> {
    let piece = String::from_utf8(piece.expect("infallible").to_vec()).expect("UTF-8");
    futures::stream::iter(piece.split_inclusive("\n\n").map(str::to_owned).collect::<Vec<_>>())
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
async fn events_come_in_order_and_a_quiet_stream_moves_its_cursor() {
    let world = World::new();
    let mut stream = world.follow(&[A, B], 600);
    assert_eq!(next(&mut stream).await, frame("10", "hello"));
    world.happens(11, B, None);
    world.happens(12, A, None);
    assert_eq!(next(&mut stream).await, frame("11", "task.x"));
    assert_eq!(next(&mut stream).await, frame("12", "task.x"));
    world.happens(13, Uuid::nil(), None);
    assert_eq!(next(&mut stream).await, frame("13", "heartbeat"));
}

/// What happens while the stream waits, in projects it does not follow, wakes it not: the heartbeat must look.
#[tokio::test(start_paused = true)]
async fn a_heartbeat_tells_of_what_happened_elsewhere_while_it_waited() {
    let world = World::new();
    let mut stream = world.follow(&[A], 600);
    assert_eq!(next(&mut stream).await, frame("10", "hello"));
    let (heartbeat, ()) = tokio::join!(next(&mut stream), async {
        tokio::time::sleep(HEARTBEAT / 2).await;
        world.happens(11, B, None);
    });
    assert_eq!(heartbeat, frame("11", "heartbeat"));
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_never_names_a_position_that_was_not_served() {
    let world = World::new();
    let mut stream = world.follow(&[A], 600);
    next(&mut stream).await;
    (11..=13).for_each(|position| world.happens(position, A, None));
    assert_eq!(next(&mut stream).await, frame("11", "task.x"));
    tokio::time::sleep(HEARTBEAT * 2).await;
    assert_eq!(next(&mut stream).await, frame("12", "task.x"));
    assert_eq!(next(&mut stream).await, frame("13", "task.x"));
    assert_eq!(next(&mut stream).await, frame("13", "heartbeat"));
}

#[tokio::test(start_paused = true)]
async fn who_is_removed_sees_that_and_nothing_more_of_the_project() {
    let world = World::new();
    let mut stream = world.follow(&[A, B], 600);
    next(&mut stream).await;
    world.happens(11, A, Some(USER));
    world.happens(12, A, None);
    world.happens(13, B, None);
    world.happens(14, B, Some(Uuid::nil()));
    world.happens(15, B, Some(USER));
    let mut seen = Vec::new();
    while let Some(frame) = next(&mut stream).await {
        seen.push(frame);
    }
    let expected =
        [("11", "task.x"), ("", "revoked"), ("13", "task.x"), ("14", "task.x"), ("15", "task.x"), ("", "revoked")];
    assert_eq!(seen, expected.map(|(id, event)| (id.to_owned(), event.to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_token_at_its_end_ends_the_stream() {
    let world = World::new();
    let mut stream = world.follow(&[A], 300);
    next(&mut stream).await;
    let begun = Instant::now();
    let mut ends = Vec::new();
    while let Some(text) = stream.next().await {
        let (_, event) = named(&text);
        if event == "reauth" {
            ends.push((begun.elapsed().as_secs().div_ceil(10) * 10, text.contains("\"expires_in\":0,")));
        }
    }
    // In time to renew it, and when nobody did.
    assert_eq!(ends, [(240, false), (300, true)]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_renewed_goes_on() {
    let world = World::new();
    let opening = world.opening(&[A], 300);
    let follower = Follower::new(world.hub.clone(), opening, world.shutdown.clone());
    let line = Arc::clone(&follower.stream.line);
    let mut stream = Takeover::new(follower).body().flat_map(frames).boxed();
    let wish = |lives: i64| Wish {
        doors: vec![],
        only_these: false,
        remove: vec![],
        me: None,
        expires_at: clock::now().utc().timestamp() + lives,
        revoked_token: None,
    };
    while named(&stream.next().await.expect("it goes on")).1 != "reauth" {}
    let (answer, changed) = tokio::sync::oneshot::channel();
    line.ask(Ask { wish: wish(600), answer });
    let renewed = Instant::now();
    while named(&stream.next().await.expect("it goes on")).1 != "reauth" {}
    assert_eq!(changed.await.expect("an answer").expect("renewed").projects, [A]);
    assert_eq!(renewed.elapsed().as_secs().div_ceil(10) * 10, 540);
    // A token that ends earlier takes nothing away.
    let (answer, changed) = tokio::sync::oneshot::channel();
    line.ask(Ask { wish: wish(1), answer });
    assert_eq!(named(&stream.next().await.expect("it goes on")).1, "heartbeat");
    assert!(changed.await.expect("an answer").is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_goes_says_so_and_up_to_where_it_served() {
    let world = World::new();
    let mut stream = world.follow(&[A], 600);
    next(&mut stream).await;
    world.happens(11, A, None);
    assert_eq!(next(&mut stream).await, frame("11", "task.x"));
    world.shutdown.cancel();
    let last = stream.next().await.expect("a last frame");
    assert!(last.starts_with("retry: "), "{last}");
    assert_eq!(named(&last), ("11".to_owned(), "drain".to_owned()));
    assert_eq!(next(&mut stream).await, None);
}

#[tokio::test(start_paused = true)]
async fn who_falls_out_of_the_ring_is_told_so() {
    let world = World::new();
    let mut stream = world.follow(&[A], 600);
    next(&mut stream).await;
    world.happens(11, A, None);
    assert_eq!(next(&mut stream).await, frame("11", "task.x"));
    (12..=700).for_each(|position| world.happens(position, A, None));
    assert_eq!(next(&mut stream).await, frame("11", "lagging"));
}

const JOINED: Bytes = Bytes::from_static(b"event: presence.joined\ndata: {}\n\n");

async fn next_of(follower: &mut Follower) -> (String, String) {
    let piece = follower.next().await.expect("the stream goes on");
    named(std::str::from_utf8(&piece).expect("UTF-8"))
}

/// Until it waits.
fn rests(follower: &mut Follower) -> bool {
    std::pin::pin!(follower.next()).now_or_never().is_none()
}

#[tokio::test(start_paused = true)]
async fn a_stream_at_rest_hears_who_is_there_and_another_one_that_it_has_not() {
    let world = World::new();
    let mut follower = world.follower(&[A], 600);
    let ear = follower.ear.clone().expect("presence is wanted");
    assert_eq!(next_of(&mut follower).await.1, "hello");
    assert!(rests(&mut follower));
    // The future of before is gone, as with a client that goes; this one waits again.
    let (heard, ()) = tokio::join!(next_of(&mut follower), async { ear.say(A, &JOINED) });
    assert_eq!(heard, (String::new(), "presence.joined".to_owned()));
    ear.say(A, &JOINED);
    ear.say(A, &JOINED);
    world.happens(11, A, None);
    assert_eq!(next_of(&mut follower).await.1, "task.x");
    assert_eq!(next_of(&mut follower).await, (String::new(), "presence.stale".to_owned()));
    assert_eq!(next_of(&mut follower).await, ("11".to_owned(), "heartbeat".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn who_is_removed_hears_no_more_of_who_is_there() {
    let world = World::new();
    let mut follower = world.follower(&[A, B], 600);
    let ear = follower.ear.clone().expect("presence is wanted");
    next_of(&mut follower).await;
    let mut seen = Vec::new();
    let ((), ()) = tokio::join!(
        async {
            for _ in 0..4 {
                seen.push(next_of(&mut follower).await.1);
            }
        },
        async {
            // Together, while it waits: what is said counts as after the removal.
            world.happens(11, A, Some(USER));
            ear.say(A, &JOINED);
            ear.say(B, &JOINED);
        }
    );
    assert_eq!(seen, ["task.x", "revoked", "presence.joined", "heartbeat"]);
}
