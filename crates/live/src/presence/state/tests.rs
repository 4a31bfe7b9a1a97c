//! Joining, focus, expiry and revocation of devices.

use super::*;

const TTL: i64 = 30;
const P: Uuid = Uuid::from_u128(1);
const ADA: Uuid = Uuid::from_u128(2);
const BEA: Uuid = Uuid::from_u128(3);
const TASK: Uuid = Uuid::from_u128(4);
const OTHER: Uuid = Uuid::from_u128(5);

fn key(user: Uuid, device: &str) -> DeviceKey {
    DeviceKey { project: P, user, device: device.into() }
}

fn heartbeat(user: Uuid, device: &str, focus: Option<Uuid>, at: i64) -> Heartbeat {
    Heartbeat { key: key(user, device), focus, member_at: 10, at }
}

/// State after these heartbeats, each applied at the time it was sent.
fn state_after(heartbeats: impl IntoIterator<Item = Heartbeat>) -> PresenceState {
    let mut state = PresenceState::new(TTL);
    for heartbeat in heartbeats {
        let now = heartbeat.at;
        state.apply(heartbeat, now);
    }
    state
}

/// Changes as user, kind, focus and time.
fn changes(state: &mut PresenceState) -> Vec<(Uuid, ChangeKind, Vec<Uuid>, i64)> {
    let taken = state.take_changes().into_values().flatten();
    taken.map(|c| (c.user, c.kind, c.view.focus.into_iter().collect(), c.view.at)).collect()
}

#[test]
fn the_first_device_joins_and_the_last_one_leaves() {
    let mut state = state_after([heartbeat(ADA, "phone", None, 0), heartbeat(ADA, "desk", None, 1)]);
    assert_eq!(changes(&mut state), [(ADA, ChangeKind::Joined, vec![], 1)]);
    state.leave(&key(ADA, "phone"), 2);
    assert_eq!(changes(&mut state), []);
    state.leave(&key(ADA, "desk"), 3);
    assert_eq!(changes(&mut state), [(ADA, ChangeKind::Left, vec![], 3)]);
    assert_eq!((state.count(), state.projects.len()), (0, 0));
}

#[test]
fn focus_is_that_of_all_devices_and_sent_when_it_changes() {
    let mut state = state_after([heartbeat(ADA, "phone", Some(OTHER), 0), heartbeat(ADA, "desk", Some(TASK), 0)]);
    assert_eq!(changes(&mut state), [(ADA, ChangeKind::Joined, vec![TASK, OTHER], 0)]);
    state.apply(heartbeat(ADA, "phone", Some(TASK), 5), 5);
    assert_eq!(changes(&mut state), [(ADA, ChangeKind::Focused, vec![TASK], 5)]);
    state.leave(&key(ADA, "phone"), 6);
    assert_eq!(changes(&mut state), [], "the other device still shows it");
}

#[test]
fn a_heartbeat_without_a_change_is_not_sent() {
    let mut state = state_after([heartbeat(ADA, "phone", Some(TASK), 0)]);
    changes(&mut state);
    state.apply(heartbeat(ADA, "phone", Some(TASK), 10), 10);
    assert!(!state.has_changes());
    assert_eq!((state.next_expiry(), state.count()), (Some(40), 1));
}

#[test]
fn a_device_expires_without_a_heartbeat() {
    let mut state = state_after([
        heartbeat(ADA, "phone", None, 0),
        heartbeat(BEA, "phone", None, 5),
        heartbeat(ADA, "phone", None, 9),
    ]);
    changes(&mut state);
    state.expire(34);
    assert_eq!(changes(&mut state), []);
    state.expire(35);
    assert_eq!(changes(&mut state), [(BEA, ChangeKind::Left, vec![], 35)]);
    state.expire(100);
    assert_eq!(changes(&mut state), [(ADA, ChangeKind::Left, vec![], 39)], "as of its time, however late that is seen");
    assert_eq!(state.next_expiry(), None);
}

#[test]
fn an_old_or_repeated_heartbeat_changes_nothing() {
    let mut state = state_after([heartbeat(ADA, "phone", Some(TASK), 10)]);
    changes(&mut state);
    state.apply(heartbeat(ADA, "phone", None, 9), 10);
    state.apply(heartbeat(ADA, "phone", Some(TASK), 10), 11);
    state.apply(heartbeat(BEA, "phone", None, 0), TTL);
    state.leave(&key(ADA, "phone"), 9);
    assert_eq!((changes(&mut state), state.count()), (vec![], 1));
}

#[test]
fn a_user_who_joins_and_leaves_between_two_reads_has_no_change() {
    let mut state = state_after([heartbeat(ADA, "phone", None, 0)]);
    state.leave(&key(ADA, "phone"), 1);
    assert_eq!((changes(&mut state), state.projects.len()), (vec![], 0));
    let mut state = state_after([heartbeat(ADA, "phone", Some(TASK), 0)]);
    changes(&mut state);
    state.leave(&key(ADA, "phone"), 1);
    assert!(state.present(P).is_empty());
    state.apply(heartbeat(ADA, "desk", Some(TASK), 2), 2);
    assert_eq!(changes(&mut state), []);
}

#[test]
fn a_revoked_user_is_removed_and_an_earlier_heartbeat_is_ignored() {
    let mut state = state_after([heartbeat(ADA, "phone", None, 0), heartbeat(BEA, "phone", None, 0)]);
    changes(&mut state);
    state.revoke(P, ADA, 11, 1);
    assert_eq!(changes(&mut state), [(ADA, ChangeKind::Left, vec![], 1)]);
    state.apply(heartbeat(ADA, "desk", None, 2), 2);
    assert_eq!(changes(&mut state), [], "it was sent before the removal");
    state.apply(Heartbeat { member_at: 12, ..heartbeat(ADA, "desk", None, 3) }, 3);
    assert_eq!(changes(&mut state), [(ADA, ChangeKind::Joined, vec![], 3)], "added again");
}

#[test]
fn users_with_an_old_permission_are_checked_after_missed_revocations() {
    let heartbeats = [heartbeat(ADA, "phone", None, 0), heartbeat(BEA, "phone", None, 0)];
    let mut state = state_after(heartbeats);
    state.suspect_permissions_before(10);
    assert_eq!(state.take_suspects(), [], "both of them were seen to be members at 10");
    state.suspect_permissions_before(11);
    let suspects = state.take_suspects();
    assert_eq!(suspects, [(P, ADA), (P, BEA)]);
    changes(&mut state);
    state.remove_users(&[(P, ADA)], 11, 1);
    assert_eq!(changes(&mut state), [(ADA, ChangeKind::Left, vec![], 1)]);
}
