//! Who is there, as a value: what is heard and what time does to it goes in, what followers are to be told comes out. All
//! times are those of NATS, in milliseconds.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use uuid::Uuid;

/// A device of somebody in a project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub project: Uuid,
    pub user: Uuid,
    pub device: Arc<str>,
}

/// A device has said that it is there.
#[derive(Clone, Debug)]
pub struct Beat {
    pub key: Key,
    /// The task it looks at.
    pub focus: Option<Uuid>,
    /// The position as of which its user was seen to be a member.
    pub member_at: i64,
    /// When NATS took it.
    pub at: i64,
}

/// What followers of a project are to be told of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub user: Uuid,
    pub kind: Kind,
    pub view: View,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Their first device is there.
    Joined,
    /// They look at something else.
    Focused,
    /// Their last device is gone.
    Left,
}

/// Somebody, all their devices taken together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The tasks that their devices look at.
    pub focus: BTreeSet<Uuid>,
    /// How many devices they are.
    pub devices: usize,
    /// Since when the focus is so.
    pub at: i64,
}

pub struct Roster {
    /// How long a device is there after its last word.
    ttl: i64,
    projects: HashMap<Uuid, BTreeMap<Uuid, Person>>,
    /// Each device once, by when it is gone if it says no more.
    ends: BTreeSet<(i64, Key)>,
    /// Of whom there may be something to tell.
    touched: BTreeSet<(Uuid, Uuid)>,
    /// Where who lost sight of which project, and when that was found out: a beat must know of a membership from then on.
    losses: HashMap<(Uuid, Uuid), (i64, i64)>,
    /// Whose membership is to be looked at.
    suspects: BTreeSet<(Uuid, Uuid)>,
}

#[derive(Default)]
struct Person {
    devices: BTreeMap<Arc<str>, Device>,
    focus: BTreeSet<Uuid>,
    /// Since when it is so.
    at: i64,
    /// The focus that followers know of; `None`: they take them to be away.
    told: Option<BTreeSet<Uuid>>,
}

struct Device {
    focus: Option<Uuid>,
    member_at: i64,
    at: i64,
}

impl Roster {
    pub fn new(ttl: i64) -> Self {
        Self {
            ttl,
            projects: HashMap::new(),
            ends: BTreeSet::new(),
            touched: BTreeSet::new(),
            losses: HashMap::new(),
            suspects: BTreeSet::new(),
        }
    }

    /// Takes what a device says, unless it is old: older than what is known of the device, over by now, or from before its
    /// user's membership ended. In that last case the next beat, with a later look at it, is taken.
    pub fn hear(&mut self, beat: Beat, now: i64) {
        let Key { project, user, device } = beat.key.clone();
        let known = self.device(&beat.key).map_or(i64::MIN, |known| known.at);
        if beat.at < known || beat.at + self.ttl <= now || self.is_lost(project, user, beat.member_at) {
            return;
        }
        self.ends.remove(&(known.saturating_add(self.ttl), beat.key.clone()));
        self.ends.insert((beat.at + self.ttl, beat.key));
        let person = self.projects.entry(project).or_default().entry(user).or_default();
        person.devices.insert(device, Device { focus: beat.focus, member_at: beat.member_at, at: beat.at });
        self.touch(project, user, beat.at);
    }

    /// The device says that it goes.
    pub fn leave(&mut self, key: &Key, at: i64) {
        if self.device(key).is_some_and(|known| known.at <= at) {
            self.remove(key, at);
        }
    }

    /// Lets those go who have not been heard for too long.
    pub fn expire(&mut self, now: i64) {
        while let Some((end, key)) = self.ends.first().filter(|(end, _)| *end <= now).cloned() {
            self.remove(&key, end);
        }
        // No beat of before a loss is good any more after this.
        let ttl = self.ttl;
        self.losses.retain(|_, (_, since)| *since + 2 * ttl > now);
    }

    /// When the next device is gone, if it says no more.
    pub fn next_end(&self) -> Option<i64> {
        self.ends.first().map(|(end, _)| *end)
    }

    /// The user cannot see the project from this position on, as far as a beat does not know better.
    pub fn lose(&mut self, project: Uuid, user: Uuid, position: i64, now: i64) {
        self.losses.insert((project, user), (position, now));
        self.judge(&[(project, user)], position, now);
    }

    /// Losses up to this position may have been missed: all whose beats do not know of it are to be looked at.
    pub fn doubt(&mut self, position: i64) {
        for (project, people) in &self.projects {
            let old = people.iter().filter(|(_, p)| p.devices.values().any(|device| device.member_at < position));
            self.suspects.extend(old.map(|(user, _)| (*project, *user)));
        }
    }

    pub fn has_suspects(&self) -> bool {
        !self.suspects.is_empty()
    }

    /// Projects and their people whose membership is to be looked at. They are to be given to `judge`, or back to `suspect`.
    pub fn take_suspects(&mut self) -> Vec<(Uuid, Uuid)> {
        std::mem::take(&mut self.suspects).into_iter().collect()
    }

    pub fn suspect(&mut self, suspects: Vec<(Uuid, Uuid)>) {
        self.suspects.extend(suspects);
    }

    /// These are no members as of this position.
    pub fn judge(&mut self, gone: &[(Uuid, Uuid)], as_of: i64, now: i64) {
        for (project, user) in gone {
            let Some(person) = self.person(*project, *user) else { continue };
            let old = person.devices.iter().filter(|(_, device)| device.member_at <= as_of);
            let keys: Vec<Key> =
                old.map(|(name, _)| Key { project: *project, user: *user, device: Arc::clone(name) }).collect();
            keys.iter().for_each(|key| self.remove(key, now));
        }
    }

    pub fn has_changes(&self) -> bool {
        !self.touched.is_empty()
    }

    /// What is to be told since this was last asked, by project. Who came and went in between was never there.
    pub fn take_changes(&mut self) -> BTreeMap<Uuid, Vec<Change>> {
        let mut changes: BTreeMap<Uuid, Vec<Change>> = BTreeMap::new();
        for (project, user) in std::mem::take(&mut self.touched) {
            let Some(people) = self.projects.get_mut(&project) else { continue };
            let Some(person) = people.get_mut(&user) else { continue };
            let is = (!person.devices.is_empty()).then(|| person.focus.clone());
            let kind = match (&person.told, &is) {
                (None, Some(_)) => Some(Kind::Joined),
                (Some(_), None) => Some(Kind::Left),
                (Some(told), Some(is)) if told != is => Some(Kind::Focused),
                _ => None,
            };
            person.told = is;
            if let Some(kind) = kind {
                changes.entry(project).or_default().push(Change { user, kind, view: person.view() });
            }
            if person.devices.is_empty() {
                people.remove(&user);
            }
            if people.is_empty() {
                self.projects.remove(&project);
            }
        }
        changes
    }

    /// Who is there.
    pub fn present(&self, project: Uuid) -> BTreeMap<Uuid, View> {
        let people = self.projects.get(&project).into_iter().flatten();
        people.filter(|(_, p)| !p.devices.is_empty()).map(|(user, person)| (*user, person.view())).collect()
    }

    pub fn has(&self, key: &Key) -> bool {
        self.device(key).is_some()
    }

    /// How many devices somebody has there.
    pub fn devices_of(&self, project: Uuid, user: Uuid) -> usize {
        self.person(project, user).map_or(0, |person| person.devices.len())
    }

    /// All devices.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    fn is_lost(&self, project: Uuid, user: Uuid, member_at: i64) -> bool {
        self.losses.get(&(project, user)).is_some_and(|(position, _)| member_at < *position)
    }

    fn person(&self, project: Uuid, user: Uuid) -> Option<&Person> {
        self.projects.get(&project)?.get(&user)
    }

    fn device(&self, key: &Key) -> Option<&Device> {
        self.person(key.project, key.user)?.devices.get(&key.device)
    }

    fn remove(&mut self, key: &Key, at: i64) {
        let people = self.projects.get_mut(&key.project);
        let Some(person) = people.and_then(|people| people.get_mut(&key.user)) else { return };
        if let Some(device) = person.devices.remove(&key.device) {
            self.ends.remove(&(device.at + self.ttl, key.clone()));
            self.touch(key.project, key.user, at);
        }
    }

    fn touch(&mut self, project: Uuid, user: Uuid, at: i64) {
        let Some(person) = self.projects.get_mut(&project).and_then(|people| people.get_mut(&user)) else { return };
        let focus: BTreeSet<Uuid> = person.devices.values().filter_map(|device| device.focus).collect();
        let is_news = person.told.is_none() || person.devices.is_empty() || focus != person.focus;
        if is_news {
            person.focus = focus;
            person.at = person.at.max(at);
            self.touched.insert((project, user));
        }
    }
}

impl Person {
    fn view(&self) -> View {
        View { focus: self.focus.clone(), devices: self.devices.len(), at: self.at }
    }
}

#[cfg(test)]
mod tests;
