use axum::body::Bytes;
use uuid::Uuid;

use super::{Follower, RETRY_AFTER};
use crate::live::frame::{Frame, Loses, Notice};

impl Follower {
    /// The frame, unless it is not for this client.
    pub(super) fn deliver(&mut self, frame: &Frame) -> Option<Bytes> {
        let another = std::mem::replace(&mut self.served, frame.at) != frame.at;
        if frame.room == self.user {
            if let Loses::Own(project) = frame.loses
                && !(another && self.followed.iter().all(|f| f.door.project != project))
            {
                // It comes in the project, too.
                return None;
            }
            self.in_doubt |= frame.loses == Loses::Person;
            return (self.me.is_some() && !frame.bytes.is_empty()).then(|| counted(frame));
        }
        let index = self.followed.iter().position(|f| f.door.project == frame.room)?;
        let door = &mut self.followed[index].door;
        let news = frame.at.position() > door.member_at;
        match &frame.loses {
            Loses::Member(user) if news && *user == self.user && door.team => self.in_doubt = true,
            Loses::Member(user) if news && *user == self.user => self.revoke(index),
            Loses::Team(_) if news && door.team => self.in_doubt = true,
            Loses::GainsTeam(_) => door.team = true,
            Loses::Member(_)
            | Loses::Gains(_)
            | Loses::Team(_)
            | Loses::Own(_)
            | Loses::Person
            | Loses::TeamMembers(_)
            | Loses::Nobody => {}
        }
        Some(counted(frame))
    }

    fn revoke(&mut self, index: usize) {
        let gone = self.followed.swap_remove(index).door.project;
        self.notices.push_back(Notice::Revoked { project: gone });
        self.ended = self.followed.is_empty() && self.me.is_none();
    }

    /// Drops the projects that the caller may see no more. Until that is known, nothing is sent.
    pub(super) async fn look_who_may_stay(&mut self) {
        let projects: Vec<Uuid> = self.followed.iter().map(|f| f.door.project).collect();
        let known = match Box::pin(self.hub.members().of(self.user, &projects)).await {
            Ok(known) => known,
            Err(error) => {
                tracing::debug!(%error, "a stream waits to know what its client may see");
                return self.wait(Some(RETRY_AFTER)).await;
            }
        };
        self.in_doubt = false;
        for index in (0..self.followed.len()).rev() {
            let door = &mut self.followed[index].door;
            match known.visible.iter().find(|(project, _)| *project == door.project) {
                Some((_, team)) => door.team = *team,
                None => self.revoke(index),
            }
        }
    }
}

fn counted(frame: &Frame) -> Bytes {
    metrics::counter!("taskfold_sse_frames_total").increment(1);
    frame.bytes.clone()
}
