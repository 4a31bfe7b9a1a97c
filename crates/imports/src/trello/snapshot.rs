//! The board as an export shows it, in the form that is stored for the next import. Its JSON is in the database.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use taskfold_domain::{Rank, Role, Timestamp};

/// The board as an export shows it. Texts fit our limits; ids are those of the source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub board_id: String,
    pub name: String,
    pub description: String,
    pub closed: bool,
    /// In the order of the file. On the board, they are ordered by `pos`.
    pub lists: Vec<List>,
    pub labels: Vec<Label>,
    pub cards: Vec<Card>,
    /// Ids of the people who belong to the board: members, authors and assignees.
    #[serde(default)]
    pub people: Vec<String>,
    /// Roles of the people who are not ordinary members.
    #[serde(default)]
    pub roles: BTreeMap<String, Role>,
}

impl Snapshot {
    pub fn role(&self, person: &str) -> Role {
        self.roles.get(person).copied().unwrap_or(Role::Member)
    }
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
    /// Index in the file, which orders cards with the same `pos`.
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

/// A checklist, with its items in the order of their `pos`.
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

    /// Lists, in their order on the board.
    pub fn ordered_lists(&self) -> Vec<&List> {
        let mut lists: Vec<&List> = self.lists.iter().collect();
        lists.sort_by(|a, b| a.pos.total_cmp(&b.pos));
        lists
    }
}

impl Card {
    /// Rank by `pos`, then by the index in the file.
    pub fn rank(&self) -> Rank {
        rank(self.pos, self.index)
    }
}

/// Rank for a position of the source. `tie` orders cards with the same position.
pub fn rank(pos: f64, tie: usize) -> Rank {
    // Ranks are made from positive numbers. Negative numbers and zero are mapped below all positions that Trello uses.
    const INFINITY_BITS: u64 = 0x7FF0_0000_0000_0000;
    let above_zero = if pos > 0.0 { pos } else { f64::from_bits((INFINITY_BITS - pos.abs().to_bits()) >> 12) };
    Rank::from_source(above_zero, u16::try_from(tie).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_keep_the_order_of_any_positions() {
        let positions = [-1e9, -16384.5, -1.0, 0.0, 0.25, 1.0, 65535.0, 65535.5, 1e12];
        let ranks: Vec<Rank> = positions.iter().map(|pos| rank(*pos, 0)).collect();
        assert!(ranks.is_sorted_by(|a, b| a < b), "{ranks:?}");
        assert!(rank(5.0, 3) < rank(5.0, 4));
    }
}
