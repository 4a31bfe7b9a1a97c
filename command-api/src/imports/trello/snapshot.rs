use serde::{Deserialize, Serialize};
use taskfold_domain::Timestamp;

/// The board as an export shows it: texts fit our limits, ids are the source's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub board_id: String,
    pub name: String,
    pub description: String,
    pub closed: bool,
    /// In the order of the file; their order on the board is by `pos`.
    pub lists: Vec<List>,
    pub labels: Vec<Label>,
    pub cards: Vec<Card>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct List {
    pub id: String,
    pub name: String,
    pub pos: f64,
    pub closed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    pub id: String,
    pub name: String,
    pub color: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Card {
    pub id: String,
    pub list: String,
    /// Its index in the file, which orders cards of the same `pos`.
    pub index: usize,
    pub pos: f64,
    pub name: String,
    pub description: String,
    pub closed: bool,
    pub due: Option<Timestamp>,
    pub start: Option<Timestamp>,
    pub labels: Vec<String>,
    pub members: Vec<String>,
    pub checklists: Vec<Checklist>,
    pub comments: Vec<Comment>,
}

/// Checklists and items in the order of their `pos`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checklist {
    pub id: String,
    pub name: String,
    pub items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub id: String,
    pub name: String,
    pub done: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    pub id: String,
    pub author: Option<String>,
    pub at: Timestamp,
    pub text: String,
}

impl Snapshot {
    pub fn card(&self, id: &str) -> Option<&Card> {
        self.cards.iter().find(|c| c.id == id)
    }

    /// Lists in their order on the board.
    pub fn ordered_lists(&self) -> Vec<&List> {
        let mut lists: Vec<&List> = self.lists.iter().collect();
        lists.sort_by(|a, b| a.pos.total_cmp(&b.pos));
        lists
    }
}

impl Card {
    /// The tie breaker of its rank: the place in the file.
    pub fn tie(&self) -> u16 {
        u16::try_from(self.index).unwrap_or(u16::MAX)
    }
}
