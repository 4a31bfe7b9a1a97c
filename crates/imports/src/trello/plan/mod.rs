//! The history as commands: a walk forward from the board before the first action.

use std::collections::{HashMap, HashSet};

use columns::Columns;
use taskfold_domain::Timestamp;
use taskfold_domain::ids::UserId;
use taskfold_domain::project::Board;
use taskfold_domain::project::commands::ProjectCommand;

use super::action::{Action, CardRole};
use super::export::Export;
use super::ids::Ids;
use super::snapshot::{Label, Snapshot};
use super::undo::InitialBoard;
use crate::command::{ImportCommand, Step};
use crate::skipped::Skipped;

/// Commands on cards.
mod cards;
/// Columns for the lists.
pub mod columns;
/// Commands on lists, labels, members and the board.
mod lists;
/// The project, lists, labels, people and cards that existed before the first action.
mod start;

/// The circumstances of an import, for the planner.
#[derive(Clone, Copy, Debug)]
pub struct PlanContext<'a> {
    pub ids: Ids,
    /// The project, if it exists.
    pub board: Option<&'a Board>,
    /// True if the project was created for the board: it then follows the board's name and state.
    pub own: bool,
    /// The board as the last import left it: everything in it exists already.
    pub base: Option<&'a Snapshot>,
    /// Time of the request, for boards without any time.
    pub requested_at: Timestamp,
}

/// The history as commands, oldest first.
#[derive(Debug, Default)]
pub struct Plan {
    pub steps: Vec<Step>,
    pub columns: Columns,
    pub skipped: Skipped,
}

/// The walk forward, with everything that exists at the current action.
struct Planner<'a> {
    context: PlanContext<'a>,
    initial: &'a InitialBoard,
    snapshot: &'a Snapshot,
    plan: Plan,
    present_lists: HashSet<String>,
    /// Position of each list, and its index in the file.
    list_positions: HashMap<String, (f64, usize)>,
    present_labels: HashSet<String>,
    present_cards: HashSet<String>,
    deleted_cards: HashSet<String>,
    /// List of each card.
    list_of_card: HashMap<String, String>,
    /// People who stay members, whatever the history says.
    people_to_keep: HashSet<&'a str>,
    current: CurrentAction,
}

/// The action that is being planned, or the thing that is created without an action.
#[derive(Clone, Debug)]
struct CurrentAction {
    key: String,
    /// Number of its commands so far.
    count: usize,
    kind: String,
    at: Timestamp,
    actor: Option<UserId>,
    progress: usize,
    /// Reasons that are counted already.
    skipped: HashSet<&'static str>,
}

/// Plans `actions` of the export, those that were not imported before.
pub fn make(export: &Export, actions: &[Action], context: PlanContext<'_>) -> Plan {
    let actions = creations_first(actions);
    let initial = InitialBoard::walk(export, &actions);
    let columns = Columns::assign(&export.snapshot, &initial, context.ids, context.board);
    let mut planner = Planner::new(export, &initial, context, columns);
    planner.plan.skipped.merge(&initial.skipped);
    let mut synthetic = planner.start(&actions).into_iter().peekable();
    for (index, (action, changes)) in actions.iter().zip(&initial.changes).enumerate() {
        while let Some((at, card)) = synthetic.next_if(|(at, _)| *at <= action.at) {
            planner.create_synthetic(at, card);
        }
        planner.current = CurrentAction::new(action, context.ids, index + 1);
        for change in changes {
            planner.change(change);
        }
    }
    for (at, card) in synthetic {
        planner.create_synthetic(at, card);
    }
    planner.plan
}

/// Moves the creation of a card before its first change, in histories whose times are out of order.
fn creations_first(actions: &[Action]) -> Vec<Action> {
    let mut first_touch: HashMap<&str, usize> = HashMap::new();
    let mut settled: HashSet<&str> = HashSet::new();
    let mut order: Vec<(usize, bool)> = (0..actions.len()).map(|i| (i, true)).collect();
    for (i, action) in actions.iter().enumerate() {
        let Some(card) = action.card() else { continue };
        match action.card_role() {
            CardRole::Touches => {
                first_touch.entry(card).or_insert(i);
            }
            CardRole::Creates if !settled.contains(card) => {
                if let Some(first) = first_touch.get(card) {
                    order[i] = (*first, false);
                }
                settled.insert(card);
            }
            // A card that is created after its deletion existed before the history.
            CardRole::Creates | CardRole::Deletes => {
                settled.insert(card);
            }
        }
    }
    let mut sorted: Vec<usize> = (0..actions.len()).collect();
    sorted.sort_by_key(|i| order[*i]);
    sorted.into_iter().map(|i| Action { at: actions[i].at.min(actions[order[i].0].at), ..actions[i].clone() }).collect()
}

impl CurrentAction {
    fn new(action: &Action, ids: Ids, progress: usize) -> Self {
        Self {
            key: action.id.clone(),
            count: 0,
            kind: action.kind.clone(),
            at: action.at,
            actor: action.author.as_deref().map(|author| ids.person(author)),
            progress,
            skipped: HashSet::new(),
        }
    }
}

impl<'a> Planner<'a> {
    fn new(export: &'a Export, initial: &'a InitialBoard, context: PlanContext<'a>, columns: Columns) -> Self {
        let snapshot = &export.snapshot;
        let index = |id: &str| snapshot.lists.iter().position(|l| l.id == id).unwrap_or(usize::MAX);
        let people = snapshot.people.iter().map(String::as_str);
        let current = CurrentAction {
            key: "made".to_owned(),
            count: 0,
            kind: "board".to_owned(),
            at: context.requested_at,
            actor: None,
            progress: 0,
            skipped: HashSet::new(),
        };
        Self {
            context,
            initial,
            snapshot,
            plan: Plan { columns, ..Plan::default() },
            present_lists: HashSet::new(),
            list_positions: initial.lists.values().map(|l| (l.id.clone(), (l.pos, index(&l.id)))).collect(),
            present_labels: HashSet::new(),
            present_cards: HashSet::new(),
            deleted_cards: HashSet::new(),
            list_of_card: HashMap::new(),
            people_to_keep: people.collect(),
            current,
        }
    }

    fn emit(&mut self, command: ImportCommand) {
        let key = format!("{}#{}", self.current.key, self.current.count);
        self.current.count += 1;
        self.plan.steps.push(Step {
            command_id: self.context.ids.command(&key),
            kind: self.current.kind.clone(),
            at: self.current.at,
            actor: self.current.actor,
            command,
            progress: self.current.progress,
        });
    }

    fn emit_project(&mut self, command: ProjectCommand) {
        self.emit(ImportCommand::Project(command));
    }

    /// Counts the action, once for each reason.
    fn skip(&mut self, reason: &'static str) {
        if self.current.skipped.insert(reason) {
            let kind = self.current.kind.clone();
            self.plan.skipped.add(&kind, reason);
        }
    }

    /// Parses a text that was made to fit. `None`, and counted, if it is still invalid.
    fn parse_text<T>(&mut self, text: &str) -> Option<T>
    where
        T: TryFrom<String>,
    {
        let parsed = T::try_from(text.to_owned()).ok();
        if parsed.is_none() {
            self.skip("contains an invalid text");
        }
        parsed
    }

    /// Starts the commands that create a thing without an action.
    fn begin_synthetic(&mut self, kind: &str, id: &str, at: Timestamp) {
        self.current.key = format!("made:{kind}:{id}");
        kind.clone_into(&mut self.current.kind);
        self.current.count = 0;
        self.current.at = at;
        self.current.actor = None;
        self.current.skipped = HashSet::new();
    }

    fn label_of(&self, id: &str) -> Option<Label> {
        self.initial.labels.get(id).cloned()
    }
}

#[cfg(test)]
mod tests;
