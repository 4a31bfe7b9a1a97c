//! Fields of a project, and all that an event does to them. Decisions and the read model fold events with the same
//! code.

use serde::{Deserialize, Serialize};

use super::events::{ColumnDiff, Created, ProjectEvent};
use super::values::{Category, Column, Label, SavedFilter};
use crate::ids::{ColumnId, LabelId, UserId};

/// Fields of a project, but for who has a role in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fields {
    pub name: String,
    pub description: String,
    /// In their order, archived ones included.
    pub columns: Vec<Column>,
    pub labels: Vec<Label>,
    /// People who are notified of every task of the project.
    pub watcher_ids: Vec<UserId>,
    pub filters: Vec<SavedFilter>,
    pub archived: bool,
}

impl Fields {
    pub fn new(created: &Created) -> Self {
        Self {
            name: created.name.to.clone(),
            description: created.description.to.clone(),
            columns: created.columns.to.clone(),
            labels: created.labels.as_ref().map(|labels| labels.to.clone()).unwrap_or_default(),
            watcher_ids: Vec::new(),
            filters: Vec::new(),
            archived: false,
        }
    }

    pub fn column(&self, id: ColumnId) -> Option<&Column> {
        self.columns.iter().find(|column| column.id == id)
    }

    /// Columns on the board, in order.
    pub fn open_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| !column.archived)
    }

    pub fn has_label(&self, id: LabelId) -> bool {
        self.labels.iter().any(|label| label.id == id)
    }

    /// Returns whether the tasks of the column are off the board, because it or the whole project is archived: nobody is
    /// reminded of them.
    pub fn hides(&self, column: ColumnId) -> bool {
        self.archived || self.column(column).is_some_and(|column| column.archived)
    }

    pub fn first_column(&self, category: Category) -> Option<&Column> {
        self.open_columns().find(|column| column.category == category)
    }

    /// Applies an event. One that does not fit (a label that is not there) changes nothing.
    pub fn apply(&mut self, event: &ProjectEvent) {
        match event {
            ProjectEvent::Renamed(e) => self.name.clone_from(&e.name.to),
            ProjectEvent::Described(e) => self.description.clone_from(&e.description.to),
            ProjectEvent::ColumnAdded(e) => {
                self.columns.push(e.column.to.clone());
                self.sort_columns();
            }
            ProjectEvent::ColumnRenamed(e)
            | ProjectEvent::ColumnMoved(e)
            | ProjectEvent::ColumnArchived(e)
            | ProjectEvent::ColumnRestored(e)
            | ProjectEvent::WipLimitSet(e) => self.change_column(&e.column.to),
            ProjectEvent::ColumnRemoved(e) => self.columns.retain(|column| column.id != e.column.from.id),
            ProjectEvent::LabelAdded(e) => self.labels.push(e.label.to.clone()),
            ProjectEvent::LabelChanged(e) => {
                if let Some(label) = self.labels.iter_mut().find(|label| label.id == e.label.to.id) {
                    label.clone_from(&e.label.to);
                }
            }
            ProjectEvent::LabelRemoved(e) => self.labels.retain(|label| label.id != e.label.from.id),
            ProjectEvent::Archived(e) | ProjectEvent::Restored(e) => self.archived = e.archived.to,
            ProjectEvent::Watched(e) => self.watcher_ids.push(e.watcher.to.user_id),
            ProjectEvent::Unwatched(e) => self.watcher_ids.retain(|user| *user != e.watcher.from.user_id),
            ProjectEvent::FilterAdded(e) => self.filters.push(e.filter.to.clone()),
            ProjectEvent::FilterChanged(e) => {
                if let Some(filter) = self.filters.iter_mut().find(|filter| filter.id == e.filter.to.id) {
                    filter.clone_from(&e.filter.to);
                }
            }
            ProjectEvent::FilterRemoved(e) => self.filters.retain(|filter| filter.id != e.filter.from.id),
            ProjectEvent::Created(_)
            | ProjectEvent::MemberAdded(_)
            | ProjectEvent::MemberRoleChanged(_)
            | ProjectEvent::MemberRemoved(_)
            | ProjectEvent::TeamAdded(_)
            | ProjectEvent::TeamRoleChanged(_)
            | ProjectEvent::TeamRemoved(_) => {}
        }
    }

    fn change_column(&mut self, diff: &ColumnDiff) {
        let Some(column) = self.columns.iter_mut().find(|column| column.id == diff.id) else { return };
        if let Some(name) = &diff.name {
            column.name.clone_from(name);
        }
        if let Some(rank) = &diff.rank {
            column.rank.clone_from(rank);
        }
        if let Some(archived) = diff.archived {
            column.archived = archived;
        }
        if let Some(wip_limit) = diff.wip_limit {
            column.wip_limit = wip_limit;
        }
        if let Some(wip_policy) = diff.wip_policy {
            column.wip_policy = wip_policy;
        }
        self.sort_columns();
    }

    fn sort_columns(&mut self) {
        self.columns.sort_by(|a, b| (&a.rank, a.id).cmp(&(&b.rank, b.id)));
    }
}
