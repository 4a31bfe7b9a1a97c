//! Columns for the lists.

use std::collections::HashMap;

use taskfold_domain::ids::ColumnId;
use taskfold_domain::limits::COLUMNS_PER_PROJECT;
use taskfold_domain::project::{Board, Category};

use crate::trello::category;
use crate::trello::ids::Ids;
use crate::trello::snapshot::{List, Snapshot};
use crate::trello::undo::InitialBoard;

pub const OVERFLOW: &str = "More";

/// The columns of the lists. A board may have more lists than a project may have columns: the others share one column.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    own: HashMap<String, ColumnId>,
    category: HashMap<String, Category>,
    /// Column for the cards of lists without a column of their own.
    shared: Option<ColumnId>,
    /// True if the shared column must be created.
    pub shared_is_new: bool,
}

impl Columns {
    pub fn assign(snapshot: &Snapshot, initial: &InitialBoard, ids: Ids, board: Option<&Board>) -> Self {
        let exists = |list: &str| board.is_some_and(|b| b.fields.column(ids.column(list)).is_some());
        let lists = by_priority(snapshot, initial);
        let mut columns = Self::default();
        for list in &lists {
            let last_name = snapshot.lists.iter().find(|l| l.id == list.id).map_or(&list.name, |l| &l.name);
            columns.category.insert(list.id.clone(), category::guess(last_name));
        }
        let (old, new): (Vec<&List>, Vec<&List>) = lists.into_iter().partition(|l| exists(&l.id));
        let mut room = COLUMNS_PER_PROJECT.saturating_sub(board.map_or(0, |b| b.fields.columns.len()));
        if new.len() > room {
            columns.share(ids, board, &mut room);
        }
        columns.own =
            old.into_iter().chain(new.into_iter().take(room)).map(|l| (l.id.clone(), ids.column(&l.id))).collect();
        columns
    }

    fn share(&mut self, ids: Ids, board: Option<&Board>, room: &mut usize) {
        let shared = ids.column("overflow");
        let known = board.is_some_and(|b| b.fields.column(shared).is_some());
        if !known && *room > 0 {
            *room -= 1;
            self.shared_is_new = true;
        }
        let any = || board.and_then(|b| b.fields.open_columns().next().or(b.fields.columns.first())).map(|c| c.id);
        self.shared = if known || self.shared_is_new { Some(shared) } else { any() };
    }

    pub fn own(&self, list: &str) -> Option<ColumnId> {
        self.own.get(list).copied()
    }

    pub fn shared(&self) -> Option<ColumnId> {
        self.shared
    }

    /// Column for the cards of a list.
    pub fn for_cards(&self, list: &str) -> Option<ColumnId> {
        self.own(list).or(self.shared).or_else(|| self.own.values().min().copied())
    }

    pub fn category(&self, list: &str) -> Category {
        self.category.get(list).copied().unwrap_or(Category::Todo)
    }
}

/// Open lists first, then archived ones, then removed ones.
fn by_priority<'a>(snapshot: &'a Snapshot, initial: &'a InitialBoard) -> Vec<&'a List> {
    let ordered = snapshot.ordered_lists();
    let present = |list: &str| snapshot.lists.iter().any(|l| l.id == list);
    let mut removed: Vec<&List> = initial.lists.values().filter(|l| !present(&l.id)).collect();
    removed.sort_by(|a, b| a.id.cmp(&b.id));
    let (closed, open): (Vec<&List>, Vec<&List>) = ordered.into_iter().partition(|l| l.closed);
    open.into_iter().chain(closed).chain(removed).collect()
}
