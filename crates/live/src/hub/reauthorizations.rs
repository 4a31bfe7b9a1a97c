//! Frames after which everybody is authorized again, because an event of no project could not be read.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Hub;
use crate::channel::Channel;
use crate::frame::{ChannelId, Frame, FrameKind};

impl Hub {
    /// Adds, for each event of no project that could not be read, a frame for every project: it may be of a team, and
    /// end access to any of them.
    pub(super) fn with_reauthorizations(
        &self,
        frames: Vec<Frame>,
        channels: &HashMap<ChannelId, Arc<Channel>>,
    ) -> Vec<Frame> {
        let is_of_all = |frame: &Frame| frame.kind == FrameKind::Reauthorizes && frame.channel.project().is_none();
        if !frames.iter().any(is_of_all) {
            return frames;
        }
        let mut all = Vec::with_capacity(frames.len() + channels.len());
        for frame in frames {
            if is_of_all(&frame) {
                let position = frame.at.position();
                self.reauthorized_at.store(position, Ordering::SeqCst);
                let projects = channels.keys().filter_map(|channel| channel.project());
                all.extend(projects.map(|project| Frame::of_reauthorization(position, project)));
            }
            all.push(frame);
        }
        all
    }
}
