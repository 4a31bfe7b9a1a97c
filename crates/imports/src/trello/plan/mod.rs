use std::collections::{HashMap, HashSet};

use columns::Columns;
use taskfold_domain::ids::TaskId;
use taskfold_domain::project::Board;
use taskfold_domain::project::commands::ProjectCommand;
use taskfold_domain::{Rank, TaskCommand, Timestamp};

use super::action::{Action, CardRole};
use super::export::Export;
use super::ids::Ids;
use super::snapshot::{Label, Snapshot};
use super::undo::{Did, Undone};
use crate::skipped::Skipped;

/// Commands on cards.
mod cards;
/// Which list has which column.
pub mod columns;
/// Commands on lists, labels, members and the board.
mod lists;
/// What was there before the first action: the project, its lists, labels, people and cards.
mod start;

/// One command of the history.
#[derive(Clone, Debug)]
pub struct Step {
    /// What the command id is made of.
    pub key: String,
    /// The kind of the action, for counting.
    pub kind: String,
    pub at: Timestamp,
    /// The member who did it; the importing user when nobody is known.
    pub actor: Option<String>,
    pub what: What,
    /// How many actions are behind us with this step.
    pub progress: usize,
}

#[derive(Clone, Debug)]
pub enum What {
    Project(ProjectCommand),
    Task { id: TaskId, command: TaskCommand, rank: Option<Rank> },
}

/// The circumstances of one import.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    pub ids: Ids,
    /// The project as it is now, when it is there.
    pub board: Option<&'a Board>,
    /// Whether the project is the board's own, and so has its name and is archived with it.
    pub own: bool,
    /// The board as the last import left it: what it has is there.
    pub base: Option<&'a Snapshot>,
    /// When the import was asked for, for boards that carry no time at all.
    pub asked_at: Timestamp,
}

/// The history as commands, oldest first.
#[derive(Debug, Default)]
pub struct Plan {
    pub steps: Vec<Step>,
    pub columns: Columns,
    pub skipped: Skipped,
}

/// The walk forward: which things are there by now.
struct Planner<'a> {
    scene: Scene<'a>,
    undone: &'a Undone,
    snapshot: &'a Snapshot,
    plan: Plan,
    lists_now: HashSet<String>,
    /// Position and index in the file of each list, as the walk goes.
    places: HashMap<String, (f64, usize)>,
    labels_now: HashSet<String>,
    cards_now: HashSet<String>,
    dead: HashSet<String>,
    /// The list of each card.
    standing: HashMap<String, String>,
    /// People who stay members, whatever the history says.
    staying: HashSet<&'a str>,
    now: Now,
}

/// The action that is being planned.
#[derive(Clone, Debug)]
struct Now {
    key: String,
    count: usize,
    kind: String,
    at: Timestamp,
    actor: Option<String>,
    progress: usize,
    skipped: HashSet<&'static str>,
}

/// Plans `actions` of the export, those that were not imported before.
pub fn make(export: &Export, actions: &[Action], scene: Scene<'_>) -> Plan {
    let actions = creations_first(actions);
    let undone = Undone::walk(export, &actions);
    let columns = Columns::assign(&export.snapshot, &undone, scene.ids, scene.board);
    let mut planner = Planner::new(export, &undone, scene, columns);
    planner.plan.skipped.merge(&undone.skipped);
    let mut made_up = planner.start(&actions).into_iter().peekable();
    for (index, (action, did)) in actions.iter().zip(&undone.did).enumerate() {
        while let Some((at, card)) = made_up.next_if(|(at, _)| *at <= action.at) {
            planner.make_up(at, card);
        }
        planner.now = Now::of(action, index + 1);
        for did in did {
            planner.step(did);
        }
    }
    for (at, card) in made_up {
        planner.make_up(at, card);
    }
    planner.plan
}

/// A card that is touched before its creation, by an odd clock, is created then.
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
            // What comes back after it was deleted was there before.
            CardRole::Creates | CardRole::Deletes => {
                settled.insert(card);
            }
        }
    }
    let mut sorted: Vec<usize> = (0..actions.len()).collect();
    sorted.sort_by_key(|i| order[*i]);
    sorted.into_iter().map(|i| Action { at: actions[i].at.min(actions[order[i].0].at), ..actions[i].clone() }).collect()
}

impl Now {
    fn of(action: &Action, progress: usize) -> Self {
        Self {
            key: action.id.clone(),
            count: 0,
            kind: action.kind.clone(),
            at: action.at,
            actor: action.author.clone(),
            progress,
            skipped: HashSet::new(),
        }
    }
}

impl<'a> Planner<'a> {
    fn new(export: &'a Export, undone: &'a Undone, scene: Scene<'a>, columns: Columns) -> Self {
        let snapshot = &export.snapshot;
        let index = |id: &str| snapshot.lists.iter().position(|l| l.id == id).unwrap_or(usize::MAX);
        let staying = snapshot.people.iter().map(String::as_str);
        let now = Now {
            key: "made".to_owned(),
            count: 0,
            kind: "board".to_owned(),
            at: scene.asked_at,
            actor: None,
            progress: 0,
            skipped: HashSet::new(),
        };
        Self {
            scene,
            undone,
            snapshot,
            plan: Plan { columns, ..Plan::default() },
            lists_now: HashSet::new(),
            places: undone.lists.values().map(|l| (l.id.clone(), (l.pos, index(&l.id)))).collect(),
            labels_now: HashSet::new(),
            cards_now: HashSet::new(),
            dead: HashSet::new(),
            standing: HashMap::new(),
            staying: staying.collect(),
            now,
        }
    }

    fn step(&mut self, did: &Did) {
        match did {
            Did::Card { card, change } => self.card(card, change),
            did => self.on_board(did),
        }
    }

    fn emit(&mut self, what: What) {
        let key = format!("{}#{}", self.now.key, self.now.count);
        self.now.count += 1;
        self.plan.steps.push(Step {
            key,
            kind: self.now.kind.clone(),
            at: self.now.at,
            actor: self.now.actor.clone(),
            what,
            progress: self.now.progress,
        });
    }

    fn emit_project(&mut self, command: ProjectCommand) {
        self.emit(What::Project(command));
    }

    /// Counts the action once for each reason.
    fn skip(&mut self, why: &'static str) {
        if self.now.skipped.insert(why) {
            let kind = self.now.kind.clone();
            self.plan.skipped.add(&kind, why);
        }
    }

    /// Takes over a name, number or text that was made to fit; one that does not after all is counted.
    fn fits<T>(&mut self, text: &str) -> Option<T>
    where
        T: TryFrom<String>,
    {
        let fits = T::try_from(text.to_owned()).ok();
        if fits.is_none() {
            self.skip("a text in it does not fit");
        }
        fits
    }

    /// Takes the name of the next steps' command ids.
    fn made_up(&mut self, kind: &str, id: &str, at: Timestamp) {
        self.now.key = format!("made:{kind}:{id}");
        kind.clone_into(&mut self.now.kind);
        self.now.count = 0;
        self.now.at = at;
        self.now.actor = None;
        self.now.skipped = HashSet::new();
    }

    fn label_of(&self, id: &str) -> Option<Label> {
        self.undone.labels.get(id).cloned()
    }
}

#[cfg(test)]
mod tests;
