//! Order, limits and cursors of frames that come from several rings.

use bytes::Bytes;
use chrono::DateTime;
use taskfold_event_log::FixedClock;

use super::*;
use crate::frame::FrameKind;

const A: ChannelId = ChannelId::Project(Uuid::from_u128(1));
const B: ChannelId = ChannelId::Project(Uuid::from_u128(2));
const OTHER: ChannelId = ChannelId::Project(Uuid::nil());

fn frame(position: i64, channel: ChannelId) -> Frame {
    Frame { at: Cursor::after(position), channel, kind: FrameKind::Plain, bytes: Bytes::from_static(b"x") }
}

fn hub() -> Arc<Hub> {
    Hub::new(
        PgPool::connect_lazy("postgres://nowhere.invalid/none").expect("a URL"),
        watch::channel(LogIdentity { id: Uuid::nil(), former: vec![], forks: vec![] }).1,
        StreamQuotas::new(std::num::NonZeroU32::MAX),
        WriterThreads::start().expect("threads"),
        FixedClock::new(DateTime::UNIX_EPOCH.into()).clock(),
    )
}

fn positions(next: &NextFrames) -> Vec<i64> {
    next.frames.iter().map(|f| f.at.position()).collect()
}

#[tokio::test]
async fn frames_of_several_projects_are_in_log_order() {
    let (hub, wake) = (hub(), Arc::new(Notify::new()));
    hub.publish(vec![], 10);
    let (a, b) = (hub.subscribe(A, &wake), hub.subscribe(B, &wake));
    hub.publish(vec![frame(11, B), frame(12, A), frame(13, OTHER), frame(14, B)], 14);
    wake.notified().await;
    let next = hub.recent(&[&a, &b], Cursor::after(10)).expect("in the rings");
    assert_eq!((positions(&next), next.upto), (vec![11, 12, 14], Cursor::after(14)));
    let next = hub.recent(&[&a, &b], Cursor::after(14)).expect("in the rings");
    assert_eq!((positions(&next), next.upto), (vec![], Cursor::after(14)));
}

#[tokio::test]
async fn a_subscriber_before_the_ring_must_read_the_log() {
    let (hub, wake) = (hub(), Arc::new(Notify::new()));
    hub.publish(vec![], 10);
    let subscription = hub.subscribe(A, &wake);
    assert!(hub.recent(&[&subscription], Cursor::after(9)).is_none());
    assert!(hub.recent(&[&subscription], Cursor::after(10)).is_some());
}

#[tokio::test]
async fn a_read_stops_at_the_limit_and_the_next_continues_there() {
    let (hub, wake) = (hub(), Arc::new(Notify::new()));
    hub.publish(vec![], 0);
    let (a, b) = (hub.subscribe(A, &wake), hub.subscribe(B, &wake));
    let all: Vec<Frame> = (1..=500).map(|p| frame(p, if p % 3 == 0 { B } else { A })).collect();
    hub.publish(all, 500);
    let (mut at, mut seen) = (Cursor::after(0), Vec::new());
    while at < Cursor::after(500) {
        let next = hub.recent(&[&a, &b], at).expect("in the rings");
        assert!(next.frames.len() <= MAX_FRAMES_PER_READ && next.upto > at);
        seen.extend(positions(&next));
        at = next.upto;
    }
    assert_eq!(seen, (1..=500).collect::<Vec<i64>>());
}

#[tokio::test]
async fn a_cursor_ahead_of_the_hub_stays_where_it_is() {
    let (hub, wake) = (hub(), Arc::new(Notify::new()));
    hub.publish(vec![], 10);
    let subscription = hub.subscribe(A, &wake);
    assert_eq!(hub.recent(&[&subscription], Cursor::after(12)).expect("waits").upto, Cursor::after(12));
    hub.publish(vec![frame(11, A), frame(12, A), frame(13, A)], 13);
    assert_eq!(positions(&hub.recent(&[&subscription], Cursor::after(12)).expect("in the rings")), [13]);
}

/// Clients choose ids of projects, and may choose that of a person.
#[tokio::test]
async fn a_project_and_a_person_with_one_id_have_separate_channels() {
    let (hub, wake) = (hub(), Arc::new(Notify::new()));
    hub.publish(vec![], 10);
    let ChannelId::Project(id) = A else { panic!("a project") };
    let (project, person) = (hub.subscribe(A, &wake), hub.subscribe(ChannelId::Person(id), &wake));
    hub.publish(vec![frame(11, A), frame(12, ChannelId::Person(id))], 12);
    let next = |subscription| positions(&hub.recent(&[subscription], Cursor::after(10)).expect("in the rings"));
    assert_eq!((next(&project), next(&person)), (vec![11], vec![12]));
}
