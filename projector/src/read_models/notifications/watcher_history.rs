//! Watchers of projects over time.

use std::collections::HashMap;

use taskfold_domain::ids::UserId;
use uuid::Uuid;

use crate::read_models::projects::ProjectRow;

/// Watchers of each project from which position on. With it, tasks can be folded without the rows of their projects.
/// Projects that nobody ever watched are not in it.
#[derive(Debug, Default)]
pub struct WatcherHistory {
    of: HashMap<Uuid, Vec<(i64, Vec<UserId>)>>,
}

impl WatcherHistory {
    /// Records a project after one of its events. They have to come in order.
    pub fn add(&mut self, project: &ProjectRow) {
        let known = self.of.get(&project.project_id).and_then(|periods| periods.last());
        let before = known.map_or(&[][..], |(_, watchers)| watchers);
        if before != project.fields.watcher_ids {
            self.of.entry(project.project_id).or_default().push((project.position, project.fields.watcher_ids.clone()));
        }
    }

    /// Joins histories of different projects.
    pub fn of_all(parts: Vec<Self>) -> Self {
        Self { of: parts.into_iter().flat_map(|part| part.of).collect() }
    }

    /// Watchers of a project when the event at `position` was folded.
    pub fn watchers(&self, project: Uuid, position: i64) -> Option<&[UserId]> {
        let periods = self.of.get(&project)?;
        let begun = periods.partition_point(|(from, _)| *from <= position);
        periods.get(begun.checked_sub(1)?).map(|(_, watchers)| watchers.as_slice())
    }
}
