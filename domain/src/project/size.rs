//! Memory that a project takes, for caches that are bounded by it.

use std::mem::size_of;

use super::fields::Fields;
use super::state::{Board, Project};
use super::values::{Column, Label, SavedFilter};

impl Project {
    /// Approximate size in bytes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.board().map_or(0, Board::bytes)
    }
}

impl Board {
    fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.fields.heap_bytes()
            + size_of_val(self.members.as_slice())
            + size_of_val(self.teams.as_slice())
            + size_of_val(self.removed.as_slice())
            + size_of_val(self.withdrawals.as_slice())
            + size_of_val(self.team_withdrawals.as_slice())
    }
}

impl Fields {
    fn heap_bytes(&self) -> usize {
        let column = |column: &Column| size_of::<Column>() + column.name.len() + column.rank.as_str().len();
        let label = |label: &Label| size_of::<Label>() + label.name.len() + label.color.len();
        let filter = |filter: &SavedFilter| size_of::<SavedFilter>() + filter.name.len() + filter.query.len();
        self.name.len()
            + self.description.len()
            + self.columns.iter().map(column).sum::<usize>()
            + self.labels.iter().map(label).sum::<usize>()
            + self.filters.iter().map(filter).sum::<usize>()
            + size_of_val(self.watcher_ids.as_slice())
    }
}
