//! Differences between the project and the board of the export, as commands.

use std::collections::{HashMap, HashSet};

use taskfold_domain::ids::{ColumnId, LabelId, TaskId, UserId};
use taskfold_domain::project::commands::ProjectCommand;
use taskfold_domain::task::commands::MoveTask;
use taskfold_domain::task::{Situation, Task};
use taskfold_domain::{Rank, TaskCommand, Timestamp};

use super::action::Action;
use super::export::Export;
use super::ids::Ids;
use super::plan::Plan;
use super::plan::columns::Columns;
use super::snapshot::{Card, Snapshot};
use crate::command::{Correction, ImportCommand, Step};

/// The board: name, lists, labels, members.
mod board;
/// One card.
mod card;
/// Checklists and comments.
mod details;
/// The order of cards in their lists.
mod order;

/// A part of a card or board that commands of this import have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    Title,
    Description,
    Due,
    Start,
    Closed,
    Placement,
    Members,
    Labels,
    Checklists,
    Comments,
    Existence,
    /// Any part of the project.
    Board,
}

/// A three-way comparison: the board at the last import, the board in this export, and (in each call) the project. A
/// difference is corrected only where the source has changed since the last import, or where this import has sent a
/// command. Changes that users made in the project since are kept.
pub struct Reconciliation {
    ids: Ids,
    own: bool,
    pub new: Snapshot,
    base: Option<BaseBoard>,
    columns: Columns,
    touched: HashSet<(Option<TaskId>, Field)>,
    touched_tasks: HashSet<TaskId>,
    people: HashMap<UserId, String>,
    labels: HashMap<LabelId, String>,
    known_lists: HashSet<String>,
    /// Checklists and items that the actions of this import name.
    named: HashSet<String>,
    /// Time of the oldest action in the export.
    oldest: Option<Timestamp>,
}

/// The board at the last import.
struct BaseBoard {
    snapshot: Snapshot,
    /// Index of each card.
    cards: HashMap<String, usize>,
}

impl BaseBoard {
    fn new(snapshot: Snapshot) -> Self {
        let cards = snapshot.cards.iter().enumerate().map(|(index, card)| (card.id.clone(), index)).collect();
        Self { snapshot, cards }
    }

    fn card(&self, id: &str) -> Option<&Card> {
        self.cards.get(id).map(|index| &self.snapshot.cards[*index])
    }
}

impl Reconciliation {
    pub fn new(
        export: Export,
        base: Option<Snapshot>,
        (ids, own): (Ids, bool),
        plan: &Plan,
        actions: &[Action],
    ) -> Self {
        let oldest = export.actions.first().map(|a| a.at);
        let new = export.snapshot;
        let known = export.people.keys().chain(base.iter().flat_map(|b| &b.people));
        let base_labels = base.iter().flat_map(|b| &b.labels).map(|l| &l.id);
        let named_labels: Vec<String> = actions.iter().filter_map(|a| a.id_of("label").map(str::to_owned)).collect();
        let labels = new.labels.iter().map(|l| &l.id).chain(base_labels).chain(&named_labels);
        let list_ids = |a: &Action| ["list", "listBefore", "listAfter"].map(|t| a.id_of(t).map(str::to_owned));
        let base_lists = base.iter().flat_map(|b| &b.lists).map(|l| l.id.clone());
        let steps = &plan.steps;
        Self {
            ids,
            own,
            columns: plan.columns.clone(),
            touched_tasks: steps.iter().flat_map(touched).filter_map(|(task, _)| task).collect(),
            touched: steps.iter().flat_map(touched).collect(),
            people: known.map(|p| (ids.person(p), p.clone())).collect(),
            labels: labels.map(|l| (ids.label(l), l.clone())).collect(),
            known_lists: actions.iter().flat_map(list_ids).flatten().chain(base_lists).collect(),
            named: actions
                .iter()
                .flat_map(|a| ["checklist", "checkItem"].map(|t| a.id_of(t).map(str::to_owned)))
                .flatten()
                .collect(),
            oldest,
            base: base.map(BaseBoard::new),
            new,
        }
    }

    /// Ids of the cards that the source no longer has.
    pub fn removed_cards(&self, actions: &[Action]) -> Vec<String> {
        let present: HashSet<&str> = self.new.cards.iter().map(|c| c.id.as_str()).collect();
        let before = self.base.iter().flat_map(|b| b.cards.keys().cloned());
        let named = actions.iter().filter_map(|a| a.card().map(str::to_owned));
        let mut removed: Vec<String> = before.chain(named).filter(|id| !present.contains(id.as_str())).collect();
        removed.sort();
        removed.dedup();
        removed
    }

    /// Base of the next import: the new board, with the comments that are missing only because their actions were cut
    /// off.
    pub fn next_base(&self) -> Snapshot {
        let mut next = self.new.clone();
        for card in &mut next.cards {
            let Some(base) = self.base_card(&card.id) else { continue };
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

    /// Corrections of the order of cards within their columns: cards with the same position in the source have the
    /// order of the file.
    pub fn card_order(&self, placements: &HashMap<TaskId, (ColumnId, Rank)>) -> Vec<Correction> {
        let mut columns: HashMap<ColumnId, Vec<(&Card, Rank)>> = HashMap::new();
        for card in &self.new.cards {
            if let Some((column, rank)) = placements.get(&self.ids.task(&card.id))
                && Some(*column) == self.columns.for_cards(&card.list)
            {
                columns.entry(*column).or_default().push((card, rank.clone()));
            }
        }
        let mut corrections = Vec::new();
        for (column_id, mut cards) in columns {
            cards.sort_by(|(a, _), (b, _)| a.pos.total_cmp(&b.pos).then(a.index.cmp(&b.index)));
            corrections.extend(order::order(&cards).into_iter().map(|(card, rank)| {
                let command = TaskCommand::Move(MoveTask { column_id, after: None, before: None });
                let id = self.ids.task(&card.id);
                Correction::new(ImportCommand::Task { id, command, rank: Some(rank) })
            }));
        }
        corrections
    }

    /// True if an action of that time may be missing only because an export is limited in length.
    fn is_cut_off(&self, at: Timestamp) -> bool {
        self.oldest.is_none_or(|oldest| at < oldest)
    }

    fn base_card(&self, id: &str) -> Option<&Card> {
        self.base.as_ref()?.card(id)
    }

    fn touched(&self, id: TaskId, field: Field) -> bool {
        self.touched.contains(&(Some(id), field)) || self.touched.contains(&(Some(id), Field::Existence))
    }

    fn board_touched(&self) -> bool {
        self.touched.contains(&(None, Field::Board))
    }
}

/// Deletion of the task of a card that the source no longer has.
pub fn removed_card(id: TaskId, task: &Task) -> Option<Correction> {
    matches!(task.situation, Situation::Present(_))
        .then(|| Correction::task(id, TaskCommand::Delete(Default::default())))
}

fn touched(step: &Step) -> Vec<(Option<TaskId>, Field)> {
    match &step.command {
        ImportCommand::Project(ProjectCommand::SetMember(_) | ProjectCommand::Create(_)) => vec![],
        ImportCommand::Project(_) => vec![(None, Field::Board)],
        ImportCommand::Task { id, command, .. } => fields(command).iter().map(|field| (Some(*id), *field)).collect(),
    }
}

fn fields(command: &TaskCommand) -> &'static [Field] {
    match command {
        TaskCommand::Create(_) | TaskCommand::Delete(_) | TaskCommand::Restore(_) => &[Field::Existence],
        TaskCommand::Edit(edit) if edit.title.is_some() => &[Field::Title],
        TaskCommand::Edit(edit) if edit.description.is_some() => &[Field::Description],
        TaskCommand::Edit(edit) if edit.due_at.is_some() => &[Field::Due],
        TaskCommand::Edit(_) => &[Field::Start],
        TaskCommand::Move(_) => &[Field::Placement],
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
        TaskCommand::Start(_)
        | TaskCommand::Pause(_)
        | TaskCommand::Resume(_)
        | TaskCommand::Complete(_)
        | TaskCommand::Cancel(_)
        | TaskCommand::Fail(_)
        | TaskCommand::Reopen(_)
        | TaskCommand::Progress(_)
        | TaskCommand::Attach(_)
        | TaskCommand::RemoveAttachment(_)
        | TaskCommand::Watch(_)
        | TaskCommand::Unwatch(_)
        | TaskCommand::React(_)
        | TaskCommand::Unreact(_)
        | TaskCommand::AddDependency(_)
        | TaskCommand::RemoveDependency(_)
        | TaskCommand::Remind(_) => &[],
    }
}
