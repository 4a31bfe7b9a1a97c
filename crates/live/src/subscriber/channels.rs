//! Channels that a stream carries: their subscriptions, and the permissions for them.

use std::sync::Arc;

use taskfold_domain::limits::PROJECTS_PER_STREAM;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::channel::Subscription;
use crate::cursor::Cursor;
use crate::ephemeral_queue::EphemeralQueue;
use crate::frame::{ChannelId, Frame, FrameKind};
use crate::hub::{Hub, NextFrames, PersonalInterest};
use crate::membership::Memberships;
use crate::parked_socket::ParkedSocket;
use crate::permission::ProjectPermission;
use crate::registry::{ChangeRefusal, StreamChange};

pub(super) struct Channels {
    pub(super) user: Uuid,
    projects: Vec<ProjectSubscription>,
    /// The user's own channel, which has their revocations.
    own: Subscription,
    /// Set while the stream carries the channel `me`.
    personal: Option<PersonalChannel>,
    /// Set if the stream carries presence.
    pub(super) ephemeral: Option<Arc<EphemeralQueue>>,
    /// Socket of a stream that is not served as a body.
    pub(super) socket: Option<Arc<ParkedSocket>>,
}

struct ProjectSubscription {
    permission: ProjectPermission,
    /// Cursor after which the events of the project are delivered.
    from: Cursor,
    /// Position of an event since which the user must be authorized again.
    reauthorize_at: i64,
    subscription: Subscription,
}

struct PersonalChannel {
    _interest: PersonalInterest,
    /// Cursor up to which the rings may lack personal frames.
    gap_end: Cursor,
}

impl PersonalChannel {
    fn open(hub: &Arc<Hub>) -> Self {
        // In this order: events that are published after the registration have their personal frames.
        let interest = hub.register_personal_interest();
        Self { _interest: interest, gap_end: hub.personal_gap_end() }
    }
}

/// Disposition of a frame that was taken from the rings or the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disposition {
    Send,
    Skip,
    /// The user lost access to this project, which the stream does not carry any more.
    Revoked(Uuid),
}

impl Channels {
    /// Subscribes to the channels. The start of the projects must be set afterwards, with [`Channels::start_at`]:
    /// frames after the hub's position at that time are in the rings.
    pub(super) fn open(
        hub: &Arc<Hub>,
        wake: &Arc<Notify>,
        user: Uuid,
        projects: Vec<ProjectPermission>,
        (personal, presence): (bool, bool),
    ) -> Self {
        let ephemeral = presence.then(|| EphemeralQueue::new(Arc::clone(wake)));
        let mut channels = Self {
            user,
            projects: Vec::with_capacity(projects.len()),
            own: hub.subscribe(ChannelId::Person(user), wake),
            personal: None,
            ephemeral,
            socket: None,
        };
        projects.into_iter().for_each(|permission| channels.add(hub, wake, permission, Cursor::after(0)));
        channels.personal = personal.then(|| PersonalChannel::open(hub));
        channels
    }

    pub(super) fn start_at(&mut self, from: Cursor) {
        self.projects.iter_mut().for_each(|project| project.from = project.permission.start(from));
    }

    /// Attaches the socket to all channels: the writer threads write to it while the stream is parked.
    pub(super) fn attach_socket(&mut self, socket: TcpStream, wake: &Arc<Notify>) -> Arc<ParkedSocket> {
        let socket = Arc::new(ParkedSocket::new(socket, self.user, self.personal.is_some(), Arc::clone(wake)));
        for subscription in self.subscriptions() {
            subscription.attach_socket(Arc::clone(&socket));
        }
        if let Some(queue) = &self.ephemeral {
            queue.attach_socket(Arc::clone(&socket));
        }
        self.socket = Some(Arc::clone(&socket));
        socket
    }

    /// Changes which channels the stream carries. Added projects start after `from`.
    pub(super) fn change(
        &mut self,
        hub: &Arc<Hub>,
        wake: &Arc<Notify>,
        change: &StreamChange,
        from: Cursor,
    ) -> Result<(), ChangeRefusal> {
        let is_requested = |project: Uuid| change.add.iter().any(|permission| permission.project == project);
        let is_kept = |project: Uuid| is_requested(project) || !(change.only_these || change.remove.contains(&project));
        let added = change.add.iter().filter(|permission| !self.carries(permission.project));
        let added: Vec<ProjectPermission> = added.copied().collect();
        let count = self.projects().filter(|project| is_kept(*project)).count() + added.len();
        let personal = change.me.unwrap_or(self.is_personal());
        if count > PROJECTS_PER_STREAM {
            return Err(ChangeRefusal::TooManyProjects);
        }
        if count == 0 && !personal {
            return Err(ChangeRefusal::NothingLeft);
        }
        self.projects.retain(|project| is_kept(project.permission.project));
        added.into_iter().for_each(|permission| self.add(hub, wake, permission, from));
        if !personal {
            self.personal = None;
        } else if self.personal.is_none() {
            self.personal = Some(PersonalChannel::open(hub));
        }
        if let Some(socket) = &self.socket {
            socket.set_personal(personal);
        }
        Ok(())
    }

    fn add(&mut self, hub: &Hub, wake: &Arc<Notify>, permission: ProjectPermission, from: Cursor) {
        let subscription = hub.subscribe(ChannelId::Project(permission.project), wake);
        if let Some(queue) = &self.ephemeral {
            subscription.attach_queue(Arc::clone(queue));
        }
        if let Some(socket) = &self.socket {
            subscription.attach_socket(Arc::clone(socket));
        }
        self.projects.push(ProjectSubscription { permission, from, reauthorize_at: 0, subscription });
    }

    pub(super) fn projects(&self) -> impl Iterator<Item = Uuid> {
        self.projects.iter().map(|project| project.permission.project)
    }

    pub(super) fn carries(&self, project: Uuid) -> bool {
        self.projects().any(|carried| carried == project)
    }

    /// Returns whether the stream carries the channel `me`.
    pub(super) fn is_personal(&self) -> bool {
        self.personal.is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.projects.is_empty() && !self.is_personal()
    }

    /// Earliest position as of which the user is known to be a member of one of the projects.
    pub(super) fn earliest_permission(&self) -> i64 {
        self.projects.iter().map(|project| project.permission.member_at).min().unwrap_or(i64::MAX)
    }

    /// Reads the frames after `after` from the rings; `None` if they must be read from the log.
    pub(super) fn recent(&self, hub: &Hub, after: Cursor) -> Option<NextFrames> {
        let is_in_gap = self.personal.as_ref().is_some_and(|personal| after < personal.gap_end);
        if is_in_gap { None } else { hub.recent(&self.subscriptions(), after) }
    }

    fn subscriptions(&self) -> Vec<&Subscription> {
        self.projects.iter().map(|project| &project.subscription).chain([&self.own]).collect()
    }

    /// Decides on a frame, and removes a project that it revokes.
    pub(super) fn process(&mut self, frame: &Frame) -> Disposition {
        if let (ChannelId::Project(project), FrameKind::Reauthorizes) = (frame.channel, frame.kind) {
            self.reauthorize(project, frame.at.position());
        }
        let is_wanted = match (frame.channel, frame.kind) {
            (ChannelId::Project(project), _) => self.delivers(project, frame.at),
            (ChannelId::Team(_), _) => false,
            (ChannelId::Person(_), FrameKind::Plain | FrameKind::EndsAccess | FrameKind::Reauthorizes) => {
                self.is_personal()
            }
            (ChannelId::Person(_), FrameKind::CopyOf(project)) => {
                self.is_personal() && !self.delivers(project, frame.at)
            }
            (ChannelId::Person(_), FrameKind::Revokes(project)) => {
                return self.revoke(project, frame.at.position());
            }
        };
        if is_wanted && !frame.bytes.is_empty() { Disposition::Send } else { Disposition::Skip }
    }

    /// Returns whether the frame of the project at this cursor is delivered by its own channel.
    fn delivers(&self, project: Uuid, at: Cursor) -> bool {
        self.projects.iter().any(|carried| carried.permission.project == project && carried.from < at)
    }

    /// Removes a project, unless the user was seen to be a member after the revocation.
    fn revoke(&mut self, project: Uuid, position: i64) -> Disposition {
        let index = self
            .projects
            .iter()
            .position(|carried| carried.permission.project == project && carried.permission.member_at < position);
        match index {
            Some(index) => Disposition::Revoked(self.projects.swap_remove(index).permission.project),
            None => Disposition::Skip,
        }
    }

    /// Requires that the user is authorized again for the project, before anything after this position is sent.
    fn reauthorize(&mut self, project: Uuid, position: i64) {
        for carried in self.projects.iter_mut().filter(|carried| carried.permission.project == project) {
            carried.reauthorize_at = position;
        }
    }

    /// Returns whether the stream has come, in some project, after the position as of which the user is known to be a
    /// member: where it starts, whose revocation in between would never be delivered, or by an event that may have ended
    /// the membership.
    pub(super) fn has_unverified(&self) -> bool {
        self.projects.iter().any(ProjectSubscription::is_unverified)
    }

    /// Returns whether the events of some project are delivered only after a later cursor.
    pub(super) fn has_start_after(&self, cursor: Cursor) -> bool {
        self.projects.iter().any(|project| project.from > cursor)
    }

    /// Unverified projects, and the positions as of which the user must be known to be a member.
    pub(super) fn unverified(&self) -> (Vec<Uuid>, Vec<i64>) {
        let unverified = self.projects.iter().filter(|project| project.is_unverified());
        unverified.map(|project| (project.permission.project, project.verified_as_of())).unzip()
    }

    /// Updates the permissions of the projects that were `checked`. Removes and returns those that the user may not see
    /// any more.
    pub(super) fn verify(&mut self, checked: &[Uuid], memberships: &Memberships) -> Vec<Uuid> {
        let mut revoked = Vec::new();
        for index in (0..self.projects.len()).rev() {
            let permission = &mut self.projects[index].permission;
            match (checked.contains(&permission.project), memberships.sees(&permission.project)) {
                (true, true) => permission.member_at = memberships.checkpoint,
                (true, false) => revoked.push(self.projects.swap_remove(index).permission.project),
                (false, _) => {}
            }
        }
        revoked
    }
}

impl ProjectSubscription {
    fn is_unverified(&self) -> bool {
        self.permission.member_at < self.verified_as_of()
    }

    fn verified_as_of(&self) -> i64 {
        self.from.position().max(self.reauthorize_at)
    }
}
