//! Presence as a value: devices by project and user, their expiry, and the changes that followers must be sent.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use uuid::Uuid;

/// A device of a user in a project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeviceKey {
    pub project: Uuid,
    pub user: Uuid,
    pub device: Arc<str>,
}

/// Heartbeat of a device.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    pub key: DeviceKey,
    /// Task that the device shows.
    pub focus: Option<Uuid>,
    /// Position as of which its user was seen to be a member.
    pub member_at: i64,
    /// Time at which NATS received it, in milliseconds.
    pub at: i64,
}

/// Change of the presence of a user in a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresenceChange {
    pub user: Uuid,
    pub kind: ChangeKind,
    pub view: UserView,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The user's first device is present.
    Joined,
    /// The user's devices show other tasks.
    Focused,
    /// The user's last device is gone.
    Left,
}

/// Presence of a user, over all devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserView {
    /// Tasks that the devices show.
    pub focus: BTreeSet<Uuid>,
    /// Number of devices.
    pub devices: usize,
    /// Time of the last change, in milliseconds.
    pub at: i64,
}

pub struct PresenceState {
    /// Time from a heartbeat until its device expires, in milliseconds.
    ttl: i64,
    projects: HashMap<Uuid, BTreeMap<Uuid, User>>,
    /// Each device once, by its expiry.
    expiries: BTreeSet<(i64, DeviceKey)>,
    /// Projects and users that may have changed since the last `take_changes`.
    touched: BTreeSet<(Uuid, Uuid)>,
    /// Position and time of the revocation by project and user: a heartbeat must have a later permission.
    revoked: HashMap<(Uuid, Uuid), (i64, i64)>,
    /// Projects and users whose membership must be checked.
    suspects: BTreeSet<(Uuid, Uuid)>,
}

#[derive(Default)]
struct User {
    devices: BTreeMap<Arc<str>, Device>,
    focus: BTreeSet<Uuid>,
    /// Time of the last change.
    at: i64,
    /// Focus that was last sent; `None` if the user was not sent as present.
    sent: Option<BTreeSet<Uuid>>,
}

struct Device {
    focus: Option<Uuid>,
    member_at: i64,
    at: i64,
}

impl PresenceState {
    pub fn new(ttl: i64) -> Self {
        Self {
            ttl,
            projects: HashMap::new(),
            expiries: BTreeSet::new(),
            touched: BTreeSet::new(),
            revoked: HashMap::new(),
            suspects: BTreeSet::new(),
        }
    }

    /// Applies a heartbeat. Ignores one that is older than the last of its device, has expired, or whose permission is
    /// from before a revocation; in the last case, the next heartbeat has a later permission and is applied.
    pub fn apply(&mut self, heartbeat: Heartbeat, now: i64) {
        let DeviceKey { project, user, device } = heartbeat.key.clone();
        let last = self.device(&heartbeat.key).map_or(i64::MIN, |known| known.at);
        let has_expired = heartbeat.at + self.ttl <= now;
        if heartbeat.at < last || has_expired || self.is_revoked(project, user, heartbeat.member_at) {
            return;
        }
        self.expiries.remove(&(last.saturating_add(self.ttl), heartbeat.key.clone()));
        self.expiries.insert((heartbeat.at + self.ttl, heartbeat.key));
        let user_state = self.projects.entry(project).or_default().entry(user).or_default();
        let Heartbeat { focus, member_at, at, .. } = heartbeat;
        user_state.devices.insert(device, Device { focus, member_at, at });
        self.touch(project, user, at);
    }

    /// Removes a device that was closed at `at`.
    pub fn leave(&mut self, key: &DeviceKey, at: i64) {
        if self.device(key).is_some_and(|known| known.at <= at) {
            self.remove(key, at);
        }
    }

    /// Removes the devices that have expired.
    pub fn expire(&mut self, now: i64) {
        while let Some((expiry, key)) = self.expiries.first().filter(|(expiry, _)| *expiry <= now).cloned() {
            self.remove(&key, expiry);
        }
        // Heartbeats from before a revocation have expired by then.
        let ttl = self.ttl;
        self.revoked.retain(|_, (_, since)| *since + 2 * ttl > now);
    }

    /// Time at which the next device expires.
    pub fn next_expiry(&self) -> Option<i64> {
        self.expiries.first().map(|(expiry, _)| *expiry)
    }

    /// Records that the user lost access to the project at this position, and removes devices without a later
    /// permission.
    pub fn revoke(&mut self, project: Uuid, user: Uuid, position: i64, now: i64) {
        self.revoked.insert((project, user), (position, now));
        self.remove_users(&[(project, user)], position, now);
    }

    /// Marks all users with a permission from before this position for a check: their revocation may have been missed.
    pub fn suspect_permissions_before(&mut self, position: i64) {
        for (project, users) in &self.projects {
            let old = users.iter().filter(|(_, u)| u.devices.values().any(|device| device.member_at < position));
            self.suspects.extend(old.map(|(user, _)| (*project, *user)));
        }
    }

    pub fn has_suspects(&self) -> bool {
        !self.suspects.is_empty()
    }

    /// Takes the projects and users whose membership must be checked. The caller passes them to `remove_users`, or back
    /// to `suspect`.
    pub fn take_suspects(&mut self) -> Vec<(Uuid, Uuid)> {
        std::mem::take(&mut self.suspects).into_iter().collect()
    }

    pub fn suspect(&mut self, suspects: Vec<(Uuid, Uuid)>) {
        self.suspects.extend(suspects);
    }

    /// Removes users who are not members as of this position, unless their permission is later.
    pub fn remove_users(&mut self, users: &[(Uuid, Uuid)], as_of: i64, now: i64) {
        for (project, user) in users {
            let Some(user_state) = self.user(*project, *user) else { continue };
            let old = user_state.devices.iter().filter(|(_, device)| device.member_at <= as_of);
            let keys: Vec<DeviceKey> =
                old.map(|(name, _)| DeviceKey { project: *project, user: *user, device: Arc::clone(name) }).collect();
            keys.iter().for_each(|key| self.remove(key, now));
        }
    }

    pub fn has_changes(&self) -> bool {
        !self.touched.is_empty()
    }

    /// Takes the changes since the last call, by project. A user who joined and left in between has none.
    pub fn take_changes(&mut self) -> BTreeMap<Uuid, Vec<PresenceChange>> {
        let mut changes: BTreeMap<Uuid, Vec<PresenceChange>> = BTreeMap::new();
        for (project, user) in std::mem::take(&mut self.touched) {
            let Some(users) = self.projects.get_mut(&project) else { continue };
            let Some(user_state) = users.get_mut(&user) else { continue };
            let current = (!user_state.devices.is_empty()).then(|| user_state.focus.clone());
            let kind = match (&user_state.sent, &current) {
                (None, Some(_)) => Some(ChangeKind::Joined),
                (Some(_), None) => Some(ChangeKind::Left),
                (Some(sent), Some(current)) => (sent != current).then_some(ChangeKind::Focused),
                (None, None) => None,
            };
            user_state.sent = current;
            if let Some(kind) = kind {
                changes.entry(project).or_default().push(PresenceChange { user, kind, view: user_state.view() });
            }
            if user_state.devices.is_empty() {
                users.remove(&user);
            }
            if users.is_empty() {
                self.projects.remove(&project);
            }
        }
        changes
    }

    /// Users who are present in the project.
    pub fn present(&self, project: Uuid) -> BTreeMap<Uuid, UserView> {
        let users = self.projects.get(&project).into_iter().flatten();
        users.filter(|(_, u)| !u.devices.is_empty()).map(|(user, state)| (*user, state.view())).collect()
    }

    pub fn has(&self, key: &DeviceKey) -> bool {
        self.device(key).is_some()
    }

    /// Number of devices of a user in the project.
    pub fn devices_of(&self, project: Uuid, user: Uuid) -> usize {
        self.user(project, user).map_or(0, |state| state.devices.len())
    }

    /// Number of all devices.
    pub fn count(&self) -> usize {
        self.expiries.len()
    }

    fn is_revoked(&self, project: Uuid, user: Uuid, member_at: i64) -> bool {
        self.revoked.get(&(project, user)).is_some_and(|(position, _)| member_at < *position)
    }

    fn user(&self, project: Uuid, user: Uuid) -> Option<&User> {
        self.projects.get(&project)?.get(&user)
    }

    fn device(&self, key: &DeviceKey) -> Option<&Device> {
        self.user(key.project, key.user)?.devices.get(&key.device)
    }

    fn remove(&mut self, key: &DeviceKey, at: i64) {
        let users = self.projects.get_mut(&key.project);
        let Some(user_state) = users.and_then(|users| users.get_mut(&key.user)) else { return };
        if let Some(device) = user_state.devices.remove(&key.device) {
            self.expiries.remove(&(device.at + self.ttl, key.clone()));
            self.touch(key.project, key.user, at);
        }
    }

    fn touch(&mut self, project: Uuid, user: Uuid, at: i64) {
        let Some(state) = self.projects.get_mut(&project).and_then(|users| users.get_mut(&user)) else { return };
        let focus: BTreeSet<Uuid> = state.devices.values().filter_map(|device| device.focus).collect();
        let has_changed = state.sent.is_none() || state.devices.is_empty() || focus != state.focus;
        if has_changed {
            state.focus = focus;
            state.at = state.at.max(at);
            self.touched.insert((project, user));
        }
    }
}

impl User {
    fn view(&self) -> UserView {
        UserView { focus: self.focus.clone(), devices: self.devices.len(), at: self.at }
    }
}

#[cfg(test)]
mod tests;
