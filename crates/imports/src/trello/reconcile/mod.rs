use std::collections::{HashMap, HashSet};

use taskfold_domain::ids::{LabelId, TaskId, UserId};
use taskfold_domain::project::commands::ProjectCommand;
use taskfold_domain::{TaskCommand, Timestamp};

use super::action::Action;
use super::export::Export;
use super::ids::Ids;
use super::plan::columns::Columns;
use super::plan::{Step, What};
use super::snapshot::{Card, Snapshot};

/// The board: name, lists, labels, members.
mod board;
/// One card.
mod card;
/// Checklists and comments.
mod details;
/// The places of cards in their lists.
mod order;

pub use order::order;

/// A command that brings the project to what the export shows.
#[derive(Clone, Debug)]
pub struct Correction {
    pub what: What,
    /// The importing user, or the author of what is restored.
    pub actor: Option<String>,
    pub at: Option<Timestamp>,
    /// When it is refused.
    pub otherwise: Option<ProjectCommand>,
}

/// A part of a card or board that commands of this import have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    Title,
    Description,
    Due,
    Start,
    Closed,
    Place,
    Members,
    Labels,
    Checklists,
    Comments,
    Existence,
    /// Of the project.
    Board,
}

/// Three boards: as the last import showed it, as this one shows it, and (in each call) as the project has it. What
/// differs is corrected only where the source has changed since the last import, or where this import's own commands
/// have been: edits made here since are kept.
pub struct Wanted<'a> {
    pub ids: Ids,
    pub own: bool,
    pub new: &'a Snapshot,
    base: Option<Base<'a>>,
    columns: &'a Columns,
    touched: HashSet<(Option<TaskId>, Field)>,
    tasks_touched: HashSet<TaskId>,
    people: HashMap<UserId, String>,
    labels: HashMap<LabelId, String>,
    lists_met: HashSet<String>,
    /// Checklists and items that this import's actions name.
    named: HashSet<String>,
    oldest: Option<Timestamp>,
}

struct Base<'a> {
    snapshot: &'a Snapshot,
    cards: HashMap<&'a str, &'a Card>,
}

impl<'a> Wanted<'a> {
    pub fn new(
        export: &'a Export,
        base: Option<&'a Snapshot>,
        (ids, own): (Ids, bool),
        columns: &'a Columns,
        steps: &[Step],
        actions: &[Action],
    ) -> Self {
        let new = &export.snapshot;
        let known = export.people.keys().chain(base.iter().flat_map(|b| &b.people));
        let base_labels = base.iter().flat_map(|b| &b.labels).map(|l| &l.id);
        let named_labels: Vec<String> = actions.iter().filter_map(|a| a.id_of("label").map(str::to_owned)).collect();
        let labels = new.labels.iter().map(|l| &l.id).chain(base_labels).chain(&named_labels);
        let list_ids = |a: &Action| ["list", "listBefore", "listAfter"].map(|t| a.id_of(t).map(str::to_owned));
        let base_lists = base.iter().flat_map(|b| &b.lists).map(|l| l.id.clone());
        Self {
            ids,
            own,
            new,
            base: base
                .map(|snapshot| Base { snapshot, cards: snapshot.cards.iter().map(|c| (c.id.as_str(), c)).collect() }),
            columns,
            tasks_touched: steps.iter().flat_map(touched).filter_map(|(task, _)| task).collect(),
            touched: steps.iter().flat_map(touched).collect(),
            people: known.map(|p| (ids.person(p), p.clone())).collect(),
            labels: labels.map(|l| (ids.label(l), l.clone())).collect(),
            lists_met: actions.iter().flat_map(list_ids).flatten().chain(base_lists).collect(),
            named: actions
                .iter()
                .flat_map(|a| ["checklist", "checkItem"].map(|t| a.id_of(t).map(str::to_owned)))
                .flatten()
                .collect(),
            oldest: export.actions.first().map(|a| a.at),
        }
    }

    /// Ids of the cards that the source had and has no more.
    pub fn gone_cards(&self, actions: &[Action]) -> Vec<String> {
        let now: HashSet<&str> = self.new.cards.iter().map(|c| c.id.as_str()).collect();
        let before = self.base.iter().flat_map(|b| b.cards.keys().map(|id| (*id).to_owned()));
        let named = actions.iter().filter_map(|a| a.card().map(str::to_owned));
        let mut gone: Vec<String> = before.chain(named).filter(|id| !now.contains(id.as_str())).collect();
        gone.sort();
        gone.dedup();
        gone
    }

    /// What the next import will take for the last one's board: this one's, with the comments that were cut off since.
    pub fn next_base(&self) -> Snapshot {
        let mut next = self.new.clone();
        for card in &mut next.cards {
            let Some(base) = self.base.as_ref().and_then(|b| b.cards.get(card.id.as_str())) else { continue };
            let kept =
                base.comments.iter().filter(|c| self.is_cut_off(c.at) && card.comments.iter().all(|n| n.id != c.id));
            card.comments.extend(kept.cloned().collect::<Vec<_>>());
        }
        if let Some(base) = &self.base {
            next.people.extend(base.snapshot.people.iter().cloned());
            next.people.sort();
            next.people.dedup();
        }
        next
    }

    /// Whether an action of that time may be missing only because an export has so many.
    fn is_cut_off(&self, at: Timestamp) -> bool {
        self.oldest.is_none_or(|oldest| at < oldest)
    }

    fn touched(&self, id: TaskId, field: Field) -> bool {
        self.touched.contains(&(Some(id), field)) || self.touched.contains(&(Some(id), Field::Existence))
    }

    fn board_touched(&self) -> bool {
        self.touched.contains(&(None, Field::Board))
    }
}

impl Correction {
    fn project(command: ProjectCommand) -> Self {
        Self { what: What::Project(command), actor: None, at: None, otherwise: None }
    }

    fn task(id: TaskId, command: TaskCommand) -> Self {
        Self { what: What::Task { id, command, rank: None }, actor: None, at: None, otherwise: None }
    }
}

fn touched(step: &Step) -> Vec<(Option<TaskId>, Field)> {
    match &step.what {
        What::Project(ProjectCommand::SetMember(_) | ProjectCommand::Create(_)) => vec![],
        What::Project(_) => vec![(None, Field::Board)],
        What::Task { id, command, .. } => fields(command).iter().map(|field| (Some(*id), *field)).collect(),
    }
}

fn fields(command: &TaskCommand) -> &'static [Field] {
    match command {
        TaskCommand::Create(_) | TaskCommand::Delete(_) | TaskCommand::Restore(_) => &[Field::Existence],
        TaskCommand::Edit(edit) if edit.title.is_some() => &[Field::Title],
        TaskCommand::Edit(edit) if edit.description.is_some() => &[Field::Description],
        TaskCommand::Edit(edit) if edit.due_at.is_some() => &[Field::Due],
        TaskCommand::Edit(_) => &[Field::Start],
        TaskCommand::Move(_) => &[Field::Place],
        TaskCommand::Assign(_) | TaskCommand::Unassign(_) => &[Field::Members],
        TaskCommand::Label(_) | TaskCommand::Unlabel(_) => &[Field::Labels],
        TaskCommand::Archive(_) | TaskCommand::Unarchive(_) => &[Field::Closed],
        TaskCommand::Comment(_) | TaskCommand::EditComment(_) | TaskCommand::RemoveComment(_) => &[Field::Comments],
        TaskCommand::AddChecklist(_)
        | TaskCommand::RenameChecklist(_)
        | TaskCommand::RemoveChecklist(_)
        | TaskCommand::AddChecklistItem(_)
        | TaskCommand::ChangeChecklistItem(_)
        | TaskCommand::RemoveChecklistItem(_) => &[Field::Checklists],
        // An import never sends these.
        _ => &[],
    }
}
