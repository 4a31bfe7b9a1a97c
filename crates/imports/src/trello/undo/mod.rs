//! The history walked backwards: what each action changed, and the board before the first one.

use std::collections::{HashMap, HashSet};

use taskfold_domain::Timestamp;

use super::action::{Action, CardRole};
use super::export::Export;
use super::snapshot::{Card, Checklist, Item, Label, List};
use crate::skipped::Skipped;

/// Actions on the board itself, its lists, labels and members.
mod board;
/// Actions on a card.
mod cards;
/// Actions on a card's checklists and comments.
mod details;

/// A change that an action made, with the new values.
#[derive(Clone, Debug, PartialEq)]
pub enum BoardChange {
    Renamed(String),
    Described(String),
    Closed(bool),
    MemberJoined(String),
    MemberLeft(String),
    ListCreated(List),
    List { list: String, change: ListChange },
    LabelCreated(Label),
    LabelChanged(Label),
    LabelRemoved(String),
    Card { card: String, change: CardChange },
}

/// A change of a list.
#[derive(Clone, Debug, PartialEq)]
pub enum ListChange {
    Renamed(String),
    Moved(f64),
    Closed(bool),
    Removed,
}

/// A change of a card.
#[derive(Clone, Debug, PartialEq)]
pub enum CardChange {
    /// With the state that it had then.
    Created(Box<Card>),
    Deleted,
    Closed(bool),
    Placed {
        list: String,
        pos: f64,
    },
    Edited(CardEdit),
    Assigned(String),
    Unassigned(String),
    Labeled(String),
    Unlabeled(String),
    Comment(CommentChange),
    Checklist(ChecklistChange),
}

/// A change of a text or a date of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CardEdit {
    Name(String),
    Description(String),
    Due(Option<Timestamp>),
    Start(Option<Timestamp>),
}

/// A change of the comments on a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommentChange {
    Added { comment: String, text: String },
    Edited { comment: String, text: String },
    Removed { comment: String },
}

/// A change of the checklists of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChecklistChange {
    Added(Checklist),
    Renamed { checklist: String, name: String },
    Removed { checklist: String },
    ItemAdded { checklist: String, item: Item },
    ItemChanged { checklist: String, item: String, text: Option<String>, done: Option<bool> },
    ItemRemoved { checklist: String, item: String },
}

/// The board before the first of the actions. It contained everything that is in the snapshot and that no action
/// created.
#[derive(Debug, Default)]
pub struct InitialBoard {
    /// Changes by each action, in the order of the actions; none for an action without a counterpart.
    pub changes: Vec<Vec<BoardChange>>,
    pub name: String,
    pub description: String,
    pub closed: bool,
    /// All cards of the board and of the history.
    pub cards: HashMap<String, Card>,
    /// Ids of the cards that existed before the first action.
    pub present_cards: HashSet<String>,
    pub lists: HashMap<String, List>,
    pub present_lists: HashSet<String>,
    pub labels: HashMap<String, Label>,
    pub present_labels: HashSet<String>,
    pub skipped: Skipped,
    /// Position of the last list.
    last_pos: f64,
    /// Texts of comments before the edits that are undone so far.
    comments: HashMap<String, String>,
    /// Card of each known checklist and item.
    card_of_checklist: HashMap<String, String>,
    card_of_item: HashMap<String, String>,
}

impl InitialBoard {
    /// Undoes `actions` (oldest first), from the snapshot of the export backwards.
    pub fn walk(export: &Export, actions: &[Action]) -> Self {
        let mut state = Self::from_snapshot(export);
        for action in actions {
            state.note_lists(action);
        }
        let mut changes: Vec<Vec<BoardChange>> = actions.iter().rev().map(|action| state.undo(action)).collect();
        changes.reverse();
        state.changes = changes;
        state
    }

    fn from_snapshot(export: &Export) -> Self {
        let end = &export.snapshot;
        let mut state = Self {
            name: end.name.clone(),
            description: end.description.clone(),
            closed: end.closed,
            cards: end.cards.iter().map(|c| (c.id.clone(), c.clone())).collect(),
            present_cards: end.cards.iter().map(|c| c.id.clone()).collect(),
            lists: end.lists.iter().map(|l| (l.id.clone(), l.clone())).collect(),
            present_lists: end.lists.iter().map(|l| l.id.clone()).collect(),
            labels: end.labels.iter().map(|l| (l.id.clone(), l.clone())).collect(),
            last_pos: end.lists.iter().map(|l| l.pos).fold(0.0, f64::max),
            present_labels: end.labels.iter().map(|l| l.id.clone()).collect(),
            ..Self::default()
        };
        for card in &end.cards {
            for checklist in &card.checklists {
                state.card_of_checklist.insert(checklist.id.clone(), card.id.clone());
                for item in &checklist.items {
                    state.card_of_item.insert(item.id.clone(), card.id.clone());
                }
            }
        }
        state
    }

    fn undo(&mut self, action: &Action) -> Vec<BoardChange> {
        match action.kind.as_str() {
            "createBoard" => vec![],
            "updateBoard"
            | "createList"
            | "moveListToBoard"
            | "updateList"
            | "moveListFromBoard"
            | "createLabel"
            | "updateLabel"
            | "deleteLabel"
            | "addMemberToBoard"
            | "removeMemberFromBoard" => self.undo_on_board(action),
            kind => {
                let supported = action.card_role() != CardRole::Touches || is_on_card(kind);
                if !supported {
                    self.skipped.add(kind, unsupported_reason(kind));
                    return vec![];
                }
                let Some(card) = self.card_named_by(action) else {
                    self.skipped.add(kind, "does not say which card");
                    return vec![];
                };
                let changes = self.undo_on_card(action, &card);
                changes.into_iter().map(|change| BoardChange::Card { card: card.clone(), change }).collect()
            }
        }
    }

    fn skip(&mut self, action: &Action, why: &str) {
        self.skipped.add(&action.kind, why);
    }
}

fn is_on_card(kind: &str) -> bool {
    matches!(
        kind,
        "updateCard"
            | "addMemberToCard"
            | "removeMemberFromCard"
            | "addLabelToCard"
            | "removeLabelFromCard"
            | "addChecklistToCard"
            | "removeChecklistFromCard"
            | "updateChecklist"
            | "createCheckItem"
            | "updateCheckItem"
            | "updateCheckItemStateOnCard"
            | "deleteCheckItem"
            | "commentCard"
            | "copyCommentCard"
            | "updateComment"
            | "deleteComment"
    )
}

fn unsupported_reason(kind: &str) -> &'static str {
    match kind {
        "addAttachmentToCard" | "deleteAttachmentFromCard" => {
            "the export contains links to attachments, not their contents"
        }
        "makeAdminOfBoard" | "makeNormalMemberOfBoard" | "makeObserverOfBoard" => {
            "members get the role that they have in the export"
        }
        "unconfirmedBoardInvitation" | "unconfirmedOrganizationInvitation" => "an invitation is not a membership",
        "addToOrganizationBoard" | "removeFromOrganizationBoard" => "organizations have no counterpart",
        "voteOnCard" => "votes have no counterpart",
        "enablePlugin" | "disablePlugin" | "enablePowerUp" | "disablePowerUp" => "plugins have no counterpart",
        _ => "has no counterpart",
    }
}
