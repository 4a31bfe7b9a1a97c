use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use taskfold_domain::{Rank, Role, Timestamp};

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
    /// Ids of the people that belong to the board: members, authors, assignees.
    #[serde(default)]
    pub people: Vec<String>,
    /// Of those who are no plain members.
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
    /// Its place as a rank, ordered as `pos` is and then by the place in the file.
    pub fn rank(&self) -> Rank {
        rank(self.pos, self.index)
    }
}

/// A rank for a position of the source; `tie` orders those of the same position.
pub fn rank(pos: f64, tie: usize) -> Rank {
    // Ranks are made from positive numbers: negative ones and zero are laid below all that Trello uses.
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
