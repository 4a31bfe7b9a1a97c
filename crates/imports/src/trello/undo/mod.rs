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

/// What an action did, with the values it left.
#[derive(Clone, Debug, PartialEq)]
pub enum Did {
    BoardNamed(String),
    BoardDescribed(String),
    BoardClosed(bool),
    MemberJoined(String),
    MemberLeft(String),
    ListCreated(List),
    ListNamed { list: String, name: String },
    ListMoved { list: String, pos: f64 },
    ListClosed { list: String, closed: bool },
    ListRemoved { list: String },
    LabelCreated(Label),
    LabelChanged(Label),
    LabelRemoved(String),
    Card { card: String, change: Change },
}

/// What an action did to a card.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// As it was then.
    Created(Box<Card>),
    Deleted,
    Named(String),
    Described(String),
    Closed(bool),
    Due(Option<Timestamp>),
    Starts(Option<Timestamp>),
    Placed {
        list: String,
        pos: f64,
    },
    Assigned(String),
    Unassigned(String),
    Labeled(String),
    Unlabeled(String),
    ChecklistAdded(Checklist),
    ChecklistNamed {
        checklist: String,
        name: String,
    },
    ChecklistRemoved {
        checklist: String,
    },
    ItemAdded {
        checklist: String,
        item: Item,
    },
    ItemChanged {
        checklist: String,
        item: String,
        text: Option<String>,
        done: Option<bool>,
    },
    ItemRemoved {
        checklist: String,
        item: String,
    },
    Commented {
        comment: String,
        text: String,
    },
    CommentEdited {
        comment: String,
        text: String,
    },
    CommentRemoved {
        comment: String,
    },
}

/// The board walked back to before the first of the actions. What stands in the snapshot and was not created by an
/// action was there then.
#[derive(Debug, Default)]
pub struct Undone {
    /// What each action did, in the order of the actions; empty for those that did nothing we can say.
    pub did: Vec<Vec<Did>>,
    pub name: String,
    pub description: String,
    pub closed: bool,
    pub cards: HashMap<String, Card>,
    /// Of `cards`, those that were there.
    pub cards_there: HashSet<String>,
    pub lists: HashMap<String, List>,
    pub lists_there: HashSet<String>,
    pub labels: HashMap<String, Label>,
    pub labels_there: HashSet<String>,
    pub skipped: Skipped,
    /// Behind the last list.
    last_pos: f64,
    /// Texts of comments before the edits undone so far.
    comments: HashMap<String, String>,
    /// The card of each checklist and item met.
    card_of_checklist: HashMap<String, String>,
    card_of_item: HashMap<String, String>,
}

impl Undone {
    /// Walks `actions` (oldest first) back from the export's snapshot.
    pub fn walk(export: &Export, actions: &[Action]) -> Self {
        let mut state = Self::of_end(export);
        for action in actions {
            state.meet_lists(action);
        }
        let mut did: Vec<Vec<Did>> = actions.iter().rev().map(|action| state.undo(action)).collect();
        did.reverse();
        state.did = did;
        state
    }

    fn of_end(export: &Export) -> Self {
        let end = &export.snapshot;
        let mut state = Self {
            name: end.name.clone(),
            description: end.description.clone(),
            closed: end.closed,
            cards: end.cards.iter().map(|c| (c.id.clone(), c.clone())).collect(),
            cards_there: end.cards.iter().map(|c| c.id.clone()).collect(),
            lists: end.lists.iter().map(|l| (l.id.clone(), l.clone())).collect(),
            lists_there: end.lists.iter().map(|l| l.id.clone()).collect(),
            labels: end.labels.iter().map(|l| (l.id.clone(), l.clone())).collect(),
            last_pos: end.lists.iter().map(|l| l.pos).fold(0.0, f64::max),
            labels_there: end.labels.iter().map(|l| l.id.clone()).collect(),
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

    fn undo(&mut self, action: &Action) -> Vec<Did> {
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
                    self.skipped.add(kind, why_not(kind));
                    return vec![];
                }
                let Some(card) = self.card_named_by(action) else {
                    self.skipped.add(kind, "does not say which card");
                    return vec![];
                };
                let changes = self.undo_on_card(action, &card);
                changes.into_iter().map(|change| Did::Card { card: card.clone(), change }).collect()
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

fn why_not(kind: &str) -> &'static str {
    match kind {
        "addAttachmentToCard" | "deleteAttachmentFromCard" => "the export has addresses of attachments, and no bytes",
        "makeAdminOfBoard" | "makeNormalMemberOfBoard" | "makeObserverOfBoard" => {
            "people have the role that they have at the end"
        }
        "unconfirmedBoardInvitation" | "unconfirmedOrganizationInvitation" => "an invitation is no membership yet",
        "addToOrganizationBoard" | "removeFromOrganizationBoard" => "there are no organisations",
        "voteOnCard" => "there are no votes",
        "enablePlugin" | "disablePlugin" | "enablePowerUp" | "disablePowerUp" => "there are no plugins",
        _ => "has no counterpart",
    }
}
