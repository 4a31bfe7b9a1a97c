//! The import of one export, behind the traits of a source.

use std::collections::HashMap;

use serde_json::value::RawValue;
use taskfold_domain::ids::{ColumnId, TaskId};
use taskfold_domain::project::Board;
use taskfold_domain::{Rank, Task, Timestamp};
use uuid::Uuid;

use super::Trello;
use super::action::Action;
use super::export::Export;
use super::ids::Ids;
use super::plan::{self, Plan, PlanContext};
use super::reconcile::Reconciliation;
use super::snapshot::Snapshot;
use super::{parse, reconcile};
use crate::command::{Correction, Step};
use crate::skipped::Skipped;
use crate::source::{self, IdScope, ImportContext, ImportSource, InvalidUpload, Person, PlannedImport, Watermark};

impl ImportSource for Trello {
    fn board_id(&self, document: &[u8]) -> Result<String, InvalidUpload> {
        parse::probe(document)
    }

    fn parse(&self, document: &[u8]) -> Result<Box<dyn source::Export>, InvalidUpload> {
        let document = parse::document(document)?;
        Ok(Box::new(Export::read(&document)?))
    }
}

impl source::Export for Export {
    fn total_actions(&self) -> usize {
        self.total
    }

    fn watermark(&self) -> Watermark {
        Watermark { newest_action: self.newest_action(), last_activity: self.last_activity }
    }

    fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    fn people(&self, scope: IdScope) -> Vec<Person> {
        let person = |(id, member): (&String, &super::export::Member)| Person {
            user_id: Ids(scope).person(id),
            username: member.username.clone(),
            full_name: member.full_name.clone(),
        };
        self.people.iter().map(person).collect()
    }

    fn plan(self: Box<Self>, context: ImportContext<'_>) -> serde_json::Result<Box<dyn PlannedImport>> {
        Ok(Box::new(TrelloImport::new(*self, context)?))
    }
}

/// An import of a Trello board, planned.
struct TrelloImport {
    ids: Ids,
    new_actions: usize,
    plan: Plan,
    reconciliation: Reconciliation,
    skipped: Skipped,
    /// Index of the card of each task, in the snapshot of the export.
    cards: HashMap<TaskId, usize>,
    /// Cards that the source no longer has.
    removed_cards: Vec<TaskId>,
}

impl TrelloImport {
    fn new(export: Export, context: ImportContext<'_>) -> serde_json::Result<Self> {
        let base: Option<Snapshot> = context.base.map(|base| serde_json::from_str(base.get())).transpose()?;
        let ids = Ids(context.scope);
        let is_new = |action: &&Action| is_after(action, context.imported_up_to);
        let actions: Vec<Action> = export.actions.iter().filter(is_new).cloned().collect();
        let plan = plan::make(
            &export,
            &actions,
            PlanContext {
                ids,
                board: context.board,
                own: context.own,
                base: base.as_ref(),
                requested_at: context.requested_at,
            },
        );
        let mut skipped = export.skipped.clone();
        skipped.add_many("action", "imported before", export.actions.len() - actions.len());
        skipped.merge(&plan.skipped);
        let reconciliation = Reconciliation::new(export, base, (ids, context.own), &plan, &actions);
        let cards = &reconciliation.new.cards;
        Ok(Self {
            ids,
            new_actions: actions.len(),
            cards: cards.iter().enumerate().map(|(index, card)| (ids.task(&card.id), index)).collect(),
            removed_cards: reconciliation.removed_cards(&actions).iter().map(|card| ids.task(card)).collect(),
            plan,
            reconciliation,
            skipped,
        })
    }
}

fn is_after(action: &Action, imported_up_to: Option<&(Timestamp, String)>) -> bool {
    imported_up_to.is_none_or(|(at, id)| action.key() > (*at, id.as_str()))
}

impl PlannedImport for TrelloImport {
    fn new_actions(&self) -> usize {
        self.new_actions
    }

    fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    fn steps(&self) -> &[Step] {
        &self.plan.steps
    }

    fn command_id(&self, key: &str) -> Uuid {
        self.ids.command(key)
    }

    fn board_corrections(&self, board: &Board) -> Vec<Correction> {
        self.reconciliation.board(board)
    }

    fn column_order_corrections(&self, board: &Board) -> Vec<Correction> {
        self.reconciliation.column_order(board)
    }

    fn tasks_to_compare(&self) -> Vec<TaskId> {
        let cards = self.reconciliation.new.cards.iter().filter(|card| !self.reconciliation.is_unchanged(card));
        cards.map(|card| self.ids.task(&card.id)).chain(self.removed_cards.iter().copied()).collect()
    }

    fn task_corrections(&self, id: TaskId, task: &Task) -> Vec<Correction> {
        match self.cards.get(&id) {
            Some(index) => self.reconciliation.card(&self.reconciliation.new.cards[*index], task),
            None => reconcile::removed_card(id, task).into_iter().collect(),
        }
    }

    fn tasks_to_order(&self) -> Vec<TaskId> {
        self.cards.keys().copied().collect()
    }

    fn rank_corrections(&self, placements: &HashMap<TaskId, (ColumnId, Rank)>) -> Vec<Correction> {
        self.reconciliation.card_order(placements)
    }

    fn removed_list_corrections(&self, board: &Board) -> Vec<Correction> {
        self.reconciliation.removed_lists(board)
    }

    fn snapshot(&self) -> serde_json::Result<Box<RawValue>> {
        serde_json::value::to_raw_value(&self.reconciliation.next_base())
    }
}
