use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

use serde::Serialize;
use tokio::time::Instant;
use uuid::Uuid;

/// A device of somebody's, in a project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub project: Uuid,
    pub user: Uuid,
    pub device: String,
}

/// Who is where, as far as it was heard, and until when without another word.
#[derive(Default)]
pub struct People {
    projects: HashMap<Uuid, BTreeMap<Uuid, BTreeMap<String, Device>>>,
    /// When to look at which; later words leave earlier looks behind, which then find nothing to do.
    looks: BinaryHeap<Reverse<(Instant, Place)>>,
    devices: usize,
}

struct Device {
    focus: Option<Uuid>,
    until: Instant,
}

/// What one person does in a project, over all their devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Person {
    pub user_id: Uuid,
    pub devices: usize,
    /// The tasks that they look at, each once.
    pub focus: Vec<Uuid>,
}

/// What others see of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub project: Uuid,
    pub what: What,
    pub person: Person,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Joined,
    Focused,
    Left,
}

impl What {
    pub fn event(self) -> &'static str {
        match self {
            Self::Joined => "presence.joined",
            Self::Focused => "presence.focused",
            Self::Left => "presence.left",
        }
    }
}

impl People {
    /// A device is there until then, and looks at this task. A mere heartbeat is nothing to see.
    pub fn heard(&mut self, place: Place, focus: Option<Uuid>, until: Instant) -> Option<Seen> {
        let before = self.person(place.project, place.user);
        let devices = self.projects.entry(place.project).or_default().entry(place.user).or_default();
        if devices.insert(place.device.clone(), Device { focus, until }).is_none() {
            self.devices += 1;
        }
        let (project, user) = (place.project, place.user);
        self.looks.push(Reverse((until, place)));
        self.seen(project, user, before)
    }

    /// A device said that it goes.
    pub fn gone(&mut self, place: &Place) -> Option<Seen> {
        let before = self.person(place.project, place.user);
        self.remove(place);
        self.seen(place.project, place.user, before)
    }

    /// Somebody may not be here any more, with any device.
    pub fn forget(&mut self, project: Uuid, user: Uuid) -> Option<Seen> {
        let before = self.person(project, user);
        let devices = self.projects.get(&project).and_then(|people| people.get(&user));
        let devices: Vec<String> = devices.into_iter().flat_map(|devices| devices.keys().cloned()).collect();
        for device in devices {
            self.remove(&Place { project, user, device });
        }
        self.seen(project, user, before)
    }

    /// Takes out whoever has not been heard of for too long.
    pub fn expire(&mut self, now: Instant) -> Vec<Seen> {
        let mut seen = Vec::new();
        while self.next_look().is_some_and(|at| at <= now) {
            let Some(Reverse((_, place))) = self.looks.pop() else { break };
            let device = self.projects.get(&place.project).and_then(|p| p.get(&place.user)?.get(&place.device));
            if device.is_some_and(|device| device.until <= now) {
                seen.extend(self.gone(&place));
            }
        }
        seen
    }

    /// When `expire` may have something to do.
    pub fn next_look(&self) -> Option<Instant> {
        self.looks.peek().map(|Reverse((at, _))| *at)
    }

    /// Who is in a project, in the order of their ids, behind one of them. And how many there are in all.
    pub fn page(&self, project: Uuid, after: Option<Uuid>, limit: usize) -> (Vec<Person>, usize) {
        let Some(people) = self.projects.get(&project) else { return (Vec::new(), 0) };
        let behind = people.keys().filter(|user| after.is_none_or(|after| **user > after)).take(limit);
        (behind.filter_map(|user| self.person(project, *user)).collect(), people.len())
    }

    pub fn is_there(&self, place: &Place) -> bool {
        self.projects
            .get(&place.project)
            .and_then(|people| people.get(&place.user))
            .is_some_and(|devices| devices.contains_key(&place.device))
    }

    /// What a device looks at; the outer `None` when it is not there.
    pub fn focus(&self, place: &Place) -> Option<Option<Uuid>> {
        Some(self.projects.get(&place.project)?.get(&place.user)?.get(&place.device)?.focus)
    }

    pub fn person(&self, project: Uuid, user: Uuid) -> Option<Person> {
        let devices = self.projects.get(&project)?.get(&user)?;
        let focus: BTreeSet<Uuid> = devices.values().filter_map(|device| device.focus).collect();
        Some(Person { user_id: user, devices: devices.len(), focus: focus.into_iter().collect() })
    }

    pub fn devices(&self) -> usize {
        self.devices
    }

    fn remove(&mut self, place: &Place) {
        let Some(people) = self.projects.get_mut(&place.project) else { return };
        let Some(devices) = people.get_mut(&place.user) else { return };
        if devices.remove(&place.device).is_some() {
            self.devices -= 1;
        }
        if devices.is_empty() {
            people.remove(&place.user);
        }
        if people.is_empty() {
            self.projects.remove(&place.project);
        }
    }

    fn seen(&self, project: Uuid, user: Uuid, before: Option<Person>) -> Option<Seen> {
        let (what, person) = match (before, self.person(project, user)) {
            (None, Some(person)) => (What::Joined, person),
            (Some(_), None) => (What::Left, Person { user_id: user, devices: 0, focus: Vec::new() }),
            (Some(before), Some(person)) if before.focus != person.focus => (What::Focused, person),
            _ => return None,
        };
        Some(Seen { project, what, person })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PROJECT: Uuid = Uuid::from_u128(1);
    const ADA: Uuid = Uuid::from_u128(2);
    const BEA: Uuid = Uuid::from_u128(3);
    const TASK: Uuid = Uuid::from_u128(4);
    const OTHER: Uuid = Uuid::from_u128(5);

    fn place(user: Uuid, device: &str) -> Place {
        Place { project: PROJECT, user, device: device.to_owned() }
    }

    fn what(seen: Option<Seen>) -> Option<(What, usize, Vec<Uuid>)> {
        seen.map(|seen| (seen.what, seen.person.devices, seen.person.focus))
    }

    #[test]
    fn a_person_comes_with_the_first_device_and_goes_with_the_last() {
        let (mut people, until) = (People::default(), Instant::now());
        assert_eq!(what(people.heard(place(ADA, "a"), None, until)), Some((What::Joined, 1, vec![])));
        assert_eq!(what(people.heard(place(ADA, "b"), None, until)), None, "one person");
        assert_eq!(what(people.heard(place(ADA, "a"), None, until)), None, "a heartbeat");
        assert_eq!(what(people.heard(place(ADA, "a"), Some(TASK), until)), Some((What::Focused, 2, vec![TASK])));
        assert_eq!(what(people.heard(place(ADA, "b"), Some(TASK), until)), None, "the same task");
        assert_eq!(what(people.gone(&place(ADA, "a"))), None, "the other looks at it still");
        assert_eq!(what(people.heard(place(ADA, "b"), Some(OTHER), until)), Some((What::Focused, 1, vec![OTHER])));
        assert_eq!(what(people.gone(&place(ADA, "x"))), None);
        assert_eq!(what(people.gone(&place(ADA, "b"))), Some((What::Left, 0, vec![])));
        assert_eq!(what(people.gone(&place(ADA, "b"))), None);
        assert_eq!(people.devices(), 0);
        assert!(people.projects.is_empty(), "nothing is kept of who has gone");
    }

    #[test]
    fn whoever_is_not_heard_of_goes_at_the_end_of_their_last_word() {
        let (mut people, now) = (People::default(), Instant::now());
        let at = |seconds| now + Duration::from_secs(seconds);
        people.heard(place(ADA, "a"), None, at(30));
        people.heard(place(BEA, "b"), None, at(31));
        people.heard(place(ADA, "a"), None, at(40));
        assert_eq!(people.expire(at(29)), []);
        assert_eq!(people.expire(at(30)), [], "heard again since");
        assert_eq!(people.next_look(), Some(at(31)));
        let gone = people.expire(at(39));
        assert_eq!(gone.iter().map(|seen| (seen.what, seen.person.user_id)).collect::<Vec<_>>(), [(What::Left, BEA)]);
        assert_eq!(people.expire(at(40)).len(), 1);
        assert_eq!((people.next_look(), people.devices()), (None, 0));
    }

    #[test]
    fn people_are_counted_and_come_in_pages() {
        let (mut people, until) = (People::default(), Instant::now());
        for n in 0..250 {
            people.heard(place(Uuid::from_u128(n), "d"), None, until);
        }
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let (page, total) = people.page(PROJECT, after, 100);
            assert_eq!(total, 250);
            let Some(last) = page.last() else { break };
            after = Some(last.user_id);
            seen.extend(page);
        }
        assert_eq!(seen.len(), 250);
        assert!(seen.is_sorted_by_key(|person| person.user_id));
        assert_eq!(what(people.forget(PROJECT, Uuid::from_u128(7))), Some((What::Left, 0, vec![])));
        assert_eq!(people.page(Uuid::nil(), None, 10), (vec![], 0));
    }
}
