use super::*;

const TTL: i64 = 30;
const P: Uuid = Uuid::from_u128(1);
const ADA: Uuid = Uuid::from_u128(2);
const BEA: Uuid = Uuid::from_u128(3);
const TASK: Uuid = Uuid::from_u128(4);
const OTHER: Uuid = Uuid::from_u128(5);

fn key(user: Uuid, device: &str) -> Key {
    Key { project: P, user, device: device.into() }
}

fn beat(user: Uuid, device: &str, focus: Option<Uuid>, at: i64) -> Beat {
    Beat { key: key(user, device), focus, member_at: 10, at }
}

/// A roster to which these beats came just when they were sent.
fn given(beats: impl IntoIterator<Item = Beat>) -> Roster {
    let mut roster = Roster::new(TTL);
    for beat in beats {
        let now = beat.at;
        roster.hear(beat, now);
    }
    roster
}

/// Who is told of, how, with which focus, since when.
fn told(roster: &mut Roster) -> Vec<(Uuid, Kind, Vec<Uuid>, i64)> {
    let changes = roster.take_changes().into_values().flatten();
    changes.map(|c| (c.user, c.kind, c.view.focus.into_iter().collect(), c.view.at)).collect()
}

#[test]
fn the_first_device_joins_and_the_last_one_leaves() {
    let mut roster = given([beat(ADA, "phone", None, 0), beat(ADA, "desk", None, 1)]);
    assert_eq!(told(&mut roster), [(ADA, Kind::Joined, vec![], 1)]);
    roster.leave(&key(ADA, "phone"), 2);
    assert_eq!(told(&mut roster), []);
    roster.leave(&key(ADA, "desk"), 3);
    assert_eq!(told(&mut roster), [(ADA, Kind::Left, vec![], 3)]);
    assert_eq!((roster.count(), roster.projects.len()), (0, 0));
}

#[test]
fn focus_is_that_of_all_devices_and_told_when_it_changes() {
    let mut roster = given([beat(ADA, "phone", Some(OTHER), 0), beat(ADA, "desk", Some(TASK), 0)]);
    assert_eq!(told(&mut roster), [(ADA, Kind::Joined, vec![TASK, OTHER], 0)]);
    roster.hear(beat(ADA, "phone", Some(TASK), 5), 5);
    assert_eq!(told(&mut roster), [(ADA, Kind::Focused, vec![TASK], 5)]);
    roster.leave(&key(ADA, "phone"), 6);
    assert_eq!(told(&mut roster), [], "the other device still looks at it");
}

#[test]
fn a_mere_heartbeat_is_no_news() {
    let mut roster = given([beat(ADA, "phone", Some(TASK), 0)]);
    told(&mut roster);
    roster.hear(beat(ADA, "phone", Some(TASK), 10), 10);
    assert!(!roster.has_changes());
    assert_eq!((roster.next_end(), roster.count()), (Some(40), 1));
}

#[test]
fn a_device_is_gone_when_it_says_nothing_for_the_time() {
    let mut roster = given([beat(ADA, "phone", None, 0), beat(BEA, "phone", None, 5), beat(ADA, "phone", None, 9)]);
    told(&mut roster);
    roster.expire(34);
    assert_eq!(told(&mut roster), []);
    roster.expire(35);
    assert_eq!(told(&mut roster), [(BEA, Kind::Left, vec![], 35)]);
    roster.expire(100);
    assert_eq!(told(&mut roster), [(ADA, Kind::Left, vec![], 39)], "as of its time, however late that is seen");
    assert_eq!(roster.next_end(), None);
}

#[test]
fn what_is_old_or_comes_twice_changes_nothing() {
    let mut roster = given([beat(ADA, "phone", Some(TASK), 10)]);
    told(&mut roster);
    roster.hear(beat(ADA, "phone", None, 9), 10);
    roster.hear(beat(ADA, "phone", Some(TASK), 10), 11);
    roster.hear(beat(BEA, "phone", None, 0), TTL);
    roster.leave(&key(ADA, "phone"), 9);
    assert_eq!((told(&mut roster), roster.count()), (vec![], 1));
}

#[test]
fn who_comes_and_goes_in_one_breath_was_never_there() {
    let mut roster = given([beat(ADA, "phone", None, 0)]);
    roster.leave(&key(ADA, "phone"), 1);
    assert_eq!((told(&mut roster), roster.projects.len()), (vec![], 0));
    let mut roster = given([beat(ADA, "phone", Some(TASK), 0)]);
    told(&mut roster);
    roster.leave(&key(ADA, "phone"), 1);
    assert!(roster.present(P).is_empty());
    roster.hear(beat(ADA, "desk", Some(TASK), 2), 2);
    assert_eq!(told(&mut roster), []);
}

#[test]
fn who_is_no_member_any_more_is_gone_and_a_beat_from_before_is_not_taken() {
    let mut roster = given([beat(ADA, "phone", None, 0), beat(BEA, "phone", None, 0)]);
    told(&mut roster);
    roster.lose(P, ADA, 11, 1);
    assert_eq!(told(&mut roster), [(ADA, Kind::Left, vec![], 1)]);
    roster.hear(beat(ADA, "desk", None, 2), 2);
    assert_eq!(told(&mut roster), [], "it was sent before the removal");
    roster.hear(Beat { member_at: 12, ..beat(ADA, "desk", None, 3) }, 3);
    assert_eq!(told(&mut roster), [(ADA, Kind::Joined, vec![], 3)], "added again");
}

#[test]
fn who_may_have_been_lost_unheard_is_looked_at_unless_they_know_better() {
    let beats = [beat(ADA, "phone", None, 0), beat(BEA, "phone", None, 0)];
    let mut roster = given(beats);
    roster.doubt(10);
    assert_eq!(roster.take_suspects(), [], "both of them were seen to be members at 10");
    roster.doubt(11);
    let suspects = roster.take_suspects();
    assert_eq!(suspects, [(P, ADA), (P, BEA)]);
    told(&mut roster);
    roster.judge(&[(P, ADA)], 11, 1);
    assert_eq!(told(&mut roster), [(ADA, Kind::Left, vec![], 1)]);
}
