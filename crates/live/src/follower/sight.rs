use bytes::Bytes;
use uuid::Uuid;

use super::{Follower, RETRY_AFTER};
use crate::frame::{Channel, Frame, Kind, Notice};

impl Follower {
    /// The frame, unless it is not for this client.
    pub(super) fn deliver(&mut self, frame: &Frame) -> Option<Bytes> {
        self.served = frame.at;
        let wanted = match (frame.channel, frame.kind) {
            (Channel::Project(project), _) => self.followed.iter().any(|f| f.door.project == project),
            (Channel::Team(_), _) => false,
            (Channel::Person(_), Kind::Plain | Kind::EndsAccess) => self.me.is_some(),
            (Channel::Person(_), Kind::AlsoIn(project)) => self.me.is_some() && !self.comes_in(project, frame),
            (Channel::Person(_), Kind::Revokes(project)) => {
                self.lose(project, frame.at.position());
                false
            }
        };
        wanted.then(|| counted(frame))
    }

    /// Whether the stream carries this frame as one of the project.
    fn comes_in(&self, project: Uuid, frame: &Frame) -> bool {
        self.followed.iter().any(|f| f.door.project == project && f.from < frame.at)
    }

    /// A loss from before the caller was seen to be a member is history: they came back.
    fn lose(&mut self, project: Uuid, position: i64) {
        let index = self.followed.iter().position(|f| f.door.project == project && f.door.member_at < position);
        if let Some(index) = index {
            self.revoke(index);
        }
    }

    fn revoke(&mut self, index: usize) {
        let gone = self.followed.swap_remove(index).door.project;
        self.notices.push_back(Notice::Revoked { project: gone });
        self.ended = self.followed.is_empty() && self.me.is_none();
    }

    /// Whether the stream begins, in some project, behind what was known when its client was seen to be a member: what they lost in
    /// between is never sent.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.followed.iter().any(|f| f.door.member_at < f.from.position())
    }

    /// Drops the projects in doubt that the caller may see no more. Until that is known, nothing is sent.
    pub(super) async fn look_who_may_stay(&mut self) {
        let doubtful = self.followed.iter().filter(|f| f.door.member_at < f.from.position());
        let (projects, begins): (Vec<Uuid>, Vec<i64>) = doubtful.map(|f| (f.door.project, f.from.position())).unzip();
        let known = match Box::pin(self.hub.members().of(self.user, &projects)).await {
            Ok(known) if begins.iter().all(|begin| known.checkpoint >= *begin) => known,
            Ok(_) => return self.wait(Some(RETRY_AFTER)).await,
            Err(error) => {
                tracing::debug!(%error, "a stream waits to know what its client may see");
                return self.wait(Some(RETRY_AFTER)).await;
            }
        };
        for index in (0..self.followed.len()).rev() {
            let door = &mut self.followed[index].door;
            match (projects.contains(&door.project), known.visible.contains(&door.project)) {
                (true, true) => door.member_at = known.checkpoint,
                (true, false) => self.revoke(index),
                (false, _) => {}
            }
        }
    }
}

fn counted(frame: &Frame) -> Bytes {
    metrics::counter!("taskfold_sse_frames_total").increment(1);
    frame.bytes.clone()
}
