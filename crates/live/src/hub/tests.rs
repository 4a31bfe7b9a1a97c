use bytes::Bytes;

use super::*;

const A: Channel = Channel::Project(Uuid::from_u128(1));
const B: Channel = Channel::Project(Uuid::from_u128(2));
const ELSEWHERE: Channel = Channel::Project(Uuid::nil());

fn frame(position: i64, channel: Channel) -> Frame {
    Frame { at: Cursor::behind(position), channel, kind: Kind::Plain, bytes: Bytes::from_static(b"x") }
}

fn hub() -> Arc<Hub> {
    Hub::new(
        PgPool::connect_lazy("postgres://nowhere.invalid/none").expect("a URL"),
        watch::channel(LogIdentity { id: Uuid::nil(), former: vec![], forks: vec![] }).1,
        Places::new(std::num::NonZeroU32::MAX),
        Writers::start().expect("threads"),
    )
}

fn positions(next: &Next) -> Vec<i64> {
    next.frames.iter().map(|f| f.at.position()).collect()
}

#[tokio::test]
async fn several_projects_come_in_the_order_of_the_log() {
    let (hub, wake) = (hub(), Arc::new(Notify::new()));
    hub.publish(vec![], 10);
    let (a, b) = (hub.join(A, &wake), hub.join(B, &wake));
    hub.publish(vec![frame(11, B), frame(12, A), frame(13, ELSEWHERE), frame(14, B)], 14);
    wake.notified().await;
    let next = hub.recent(&[&a, &b], Cursor::behind(10)).expect("in the rings");
    assert_eq!((positions(&next), next.upto), (vec![11, 12, 14], Cursor::behind(14)));
    let next = hub.recent(&[&a, &b], Cursor::behind(14)).expect("in the rings");
    assert_eq!((positions(&next), next.upto), (vec![], Cursor::behind(14)));
}

#[tokio::test]
async fn who_is_behind_a_room_is_sent_to_the_log() {
    let (hub, wake) = (hub(), Arc::new(Notify::new()));
    hub.publish(vec![], 10);
    let seat = hub.join(A, &wake);
    assert!(hub.recent(&[&seat], Cursor::behind(9)).is_none());
    assert!(hub.recent(&[&seat], Cursor::behind(10)).is_some());
}

#[tokio::test]
async fn taking_stops_at_the_limit_and_goes_on_behind_it() {
    let (hub, wake) = (hub(), Arc::new(Notify::new()));
    hub.publish(vec![], 0);
    let (a, b) = (hub.join(A, &wake), hub.join(B, &wake));
    let all: Vec<Frame> = (1..=500).map(|p| frame(p, if p % 3 == 0 { B } else { A })).collect();
    hub.publish(all, 500);
    let (mut at, mut seen) = (Cursor::behind(0), Vec::new());
    while at < Cursor::behind(500) {
        let next = hub.recent(&[&a, &b], at).expect("in the rings");
        assert!(next.frames.len() <= TAKE && next.upto > at);
        seen.extend(positions(&next));
        at = next.upto;
    }
    assert_eq!(seen, (1..=500).collect::<Vec<i64>>());
}

#[tokio::test]
async fn a_cursor_ahead_of_what_is_announced_waits_there() {
    let (hub, wake) = (hub(), Arc::new(Notify::new()));
    hub.publish(vec![], 10);
    let seat = hub.join(A, &wake);
    assert_eq!(hub.recent(&[&seat], Cursor::behind(12)).expect("waits").upto, Cursor::behind(12));
    hub.publish(vec![frame(11, A), frame(12, A), frame(13, A)], 13);
    assert_eq!(positions(&hub.recent(&[&seat], Cursor::behind(12)).expect("in the rings")), [13]);
}

/// Clients choose ids of projects, and may choose that of a person.
#[tokio::test]
async fn a_project_and_a_person_of_one_id_have_rooms_of_their_own() {
    let (hub, wake) = (hub(), Arc::new(Notify::new()));
    hub.publish(vec![], 10);
    let Channel::Project(id) = A else { panic!("a project") };
    let (project, person) = (hub.join(A, &wake), hub.join(Channel::Person(id), &wake));
    hub.publish(vec![frame(11, A), frame(12, Channel::Person(id))], 12);
    let next = |seat| positions(&hub.recent(&[seat], Cursor::behind(10)).expect("in the rings"));
    assert_eq!((next(&project), next(&person)), (vec![11], vec![12]));
}
