use std::mem::size_of;

use super::state::{Board, Column, Label, Project, SavedFilter};

impl Project {
    /// About how many bytes it takes in memory, for caches that are bounded by them.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.board().map_or(0, Board::bytes)
    }
}

impl Board {
    fn bytes(&self) -> usize {
        let column = |column: &Column| size_of::<Column>() + column.name.len() + column.rank.as_str().len();
        let label = |label: &Label| size_of::<Label>() + label.name.len() + label.color.len();
        let filter = |filter: &SavedFilter| size_of::<SavedFilter>() + filter.name.len() + filter.query.len();
        size_of::<Self>()
            + self.name.len()
            + self.description.len()
            + self.columns.iter().map(column).sum::<usize>()
            + self.labels.iter().map(label).sum::<usize>()
            + self.filters.iter().map(filter).sum::<usize>()
            + size_of_val(self.members.as_slice())
            + size_of_val(self.teams.as_slice())
            + size_of_val(self.watchers.as_slice())
    }
}
