use std::sync::Arc;

use uuid::Uuid;

use super::{Door, Followed, Follower, MOST_PROJECTS};
use crate::open::{Ask, Channels, Unchanged, Wish};

impl Follower {
    /// Other channels, or a longer life, while the stream goes on.
    pub(super) fn change(&mut self, Ask { wish, answer }: Ask) {
        if self.pending.is_empty() {
            // So that what is new here begins at the end of the log, and not where a quiet stream was left.
            self.look();
        }
        let changed = self.become_what(wish);
        // Whoever asked may have gone.
        let _ = answer.send(changed);
    }

    fn become_what(&mut self, wish: Wish) -> Result<Channels, Unchanged> {
        let asked_for = |project: Uuid| wish.doors.iter().any(|door| door.project == project);
        let stays = |f: &Followed| {
            let project = f.door.project;
            asked_for(project) || !(wish.only_these || wish.remove.contains(&project))
        };
        let new = wish.doors.iter().filter(|door| !self.followed.iter().any(|f| f.door.project == door.project));
        let new: Vec<Door> = new.copied().collect();
        let count = self.followed.iter().filter(|f| stays(f)).count() + new.len();
        let me = wish.me.unwrap_or(self.me.is_some());
        if count > MOST_PROJECTS {
            return Err(Unchanged::TooMany);
        }
        if count == 0 && !me {
            return Err(Unchanged::NothingLeft);
        }
        self.followed.retain(stays);
        for door in new {
            let followed = Followed::sit_down(&self.hub, door, self.taken, &self.wake, self.ear.as_ref());
            if let Some(outlet) = &self.outlet {
                followed.seat.write_to(Arc::clone(outlet));
            }
            self.followed.push(followed);
        }
        if me && self.me.is_none() {
            self.me = Some(self.hub.listen());
            // Afterwards: what is announced from here on has it.
            self.untold = self.hub.untold();
        } else if !me {
            self.me = None;
        }
        if let Some(outlet) = &self.outlet {
            outlet.set_me(me);
        }
        // The rings of what is new may not reach back to here: that is no lag.
        self.live = false;
        self.term.renew(wish.expires_at, wish.revoked_token);
        Ok(Channels {
            projects: self.followed.iter().map(|f| f.door.project).collect(),
            me,
            position: self.taken.position(),
            expires_at: self.term.expires_at(),
        })
    }
}
