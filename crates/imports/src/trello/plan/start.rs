//! The project, lists, labels, people and cards that existed before the first action.

use std::collections::HashMap;

use taskfold_domain::Timestamp;
use taskfold_domain::project::Category;
use taskfold_domain::project::commands::{ColumnRef, CreateProject, NewColumn, ProjectCommand, SetMember};

use super::Planner;
use super::columns::OVERFLOW;
use crate::command::ImportCommand;
use crate::trello::action::{Action, CardRole};
use crate::trello::fit;
use crate::trello::snapshot::{Card, List};
use crate::trello::undo::{BoardChange, CardChange};

const NOT_IN_HISTORY: &str = "its creation is not among the actions of the export: created from its current state";

impl<'a> Planner<'a> {
    /// Plans everything that existed before the first action, except for cards: they are returned with the times at
    /// which to create them, in order.
    pub(super) fn start(&mut self, actions: &[Action]) -> Vec<(Timestamp, &'a Card)> {
        let begin = self.begin(actions);
        self.apply_base();
        self.project(begin);
        self.labels(begin);
        self.people(begin);
        self.lists(begin);
        self.synthetic_cards(begin, actions)
    }

    fn begin(&self, actions: &[Action]) -> Timestamp {
        let first = actions.first().map(|a| a.at);
        let created = actions.iter().find(|a| a.kind == "createBoard").map(|a| a.at);
        let created = created.or_else(|| fit::time_of_id(&self.snapshot.board_id));
        match (created.filter(|_| self.context.base.is_none()), first) {
            (Some(created), Some(first)) => created.min(first),
            (Some(at), None) | (None, Some(at)) => at,
            (None, None) => self.context.requested_at,
        }
    }

    fn apply_base(&mut self) {
        let Some(base) = self.context.base else { return };
        self.present_lists = base.lists.iter().map(|l| l.id.clone()).collect();
        self.present_labels = base.labels.iter().map(|l| l.id.clone()).collect();
        self.present_cards = base.cards.iter().map(|c| c.id.clone()).collect();
        self.list_of_card = base.cards.iter().map(|c| (c.id.clone(), c.list.clone())).collect();
    }

    fn project(&mut self, begin: Timestamp) {
        self.begin_synthetic("project", "", begin);
        if !self.context.own || self.context.board.is_some() {
            return;
        }
        let mut first: Vec<List> = self.initial_lists().into_iter().cloned().collect();
        if first.is_empty() {
            // A project has at least one column.
            let created = self.initial.changes.iter().flatten().find_map(|change| {
                let BoardChange::ListCreated(list) = change else { return None };
                self.plan.columns.own(&list.id).map(|_| list.clone())
            });
            first.extend(created);
        }
        let mut columns = Vec::new();
        for list in &first {
            if let (Some(id), Some(name)) = (self.plan.columns.own(&list.id), self.parse_text(&list.name)) {
                let category = self.plan.columns.category(&list.id);
                columns.push(NewColumn {
                    id: Some(id),
                    name,
                    category,
                    wip_limit: None,
                    wip_policy: Default::default(),
                });
                self.present_lists.insert(list.id.clone());
            }
        }
        if self.plan.columns.shared_is_new
            && let (id, Some(name)) = (self.plan.columns.shared(), self.parse_text(OVERFLOW))
        {
            let category = Category::Todo;
            columns.push(NewColumn { id, name, category, wip_limit: None, wip_policy: Default::default() });
            self.plan.columns.shared_is_new = false;
        }
        let Some(name) = self.parse_text(&self.initial.name) else { return };
        let description = Some(&self.initial.description).filter(|d| !d.is_empty()).and_then(|d| self.parse_text(d));
        let columns = Some(columns).filter(|c| !c.is_empty());
        self.emit_project(ProjectCommand::Create(CreateProject {
            template_id: None,
            id: Some(self.context.ids.0.project),
            name,
            description,
            columns,
        }));
        for list in first.iter().filter(|l| l.closed) {
            if let Some(column_id) = self.plan.columns.own(&list.id) {
                self.emit_project(ProjectCommand::ArchiveColumn(ColumnRef { column_id }));
            }
        }
        if self.initial.closed {
            self.emit_project(ProjectCommand::Archive(Default::default()));
        }
    }

    /// The lists before the first action, in their order.
    fn initial_lists(&self) -> Vec<&'a List> {
        let initial = self.initial;
        let present = initial.lists.values().filter(|l| initial.present_lists.contains(&l.id));
        let mut lists: Vec<&List> = present.filter(|l| self.plan.columns.own(&l.id).is_some()).collect();
        lists.sort_by(|a, b| self.compare(&a.id, &b.id));
        lists
    }

    fn lists(&mut self, begin: Timestamp) {
        if self.plan.columns.shared_is_new {
            self.begin_synthetic("list", "overflow", begin);
            self.add_shared_column();
        }
        for list in self.initial_lists() {
            if !self.present_lists.contains(&list.id) {
                self.begin_synthetic("list", &list.id, begin);
                self.ensure_list(&list.id);
            }
            let known = self.context.base.is_some_and(|base| base.lists.iter().any(|l| l.id == list.id));
            if !known {
                self.plan.skipped.add("list", NOT_IN_HISTORY);
            }
        }
        let without = self.initial.lists.keys().filter(|l| self.plan.columns.own(l).is_none()).count();
        let reason = format!("a project has at most 50 columns: its cards are in `{OVERFLOW}`");
        self.plan.skipped.add_many("list", reason, without);
    }

    fn labels(&mut self, begin: Timestamp) {
        let initial = self.initial;
        let mut labels: Vec<&String> =
            initial.present_labels.iter().filter(|l| !self.present_labels.contains(*l)).collect();
        // In the order of the file, with removed labels last.
        let index = |id: &str| self.snapshot.labels.iter().position(|l| l.id == id).unwrap_or(usize::MAX);
        labels.sort_by_key(|id| (index(id), *id));
        for label in labels {
            self.begin_synthetic("label", label, begin);
            self.ensure_label(label);
        }
    }

    /// Adds everybody who belongs to the board, except for those whose joining is in the history.
    fn people(&mut self, begin: Timestamp) {
        let joins: Vec<&str> = self
            .initial
            .changes
            .iter()
            .flatten()
            .filter_map(|change| {
                let BoardChange::MemberJoined(member) = change else { return None };
                Some(member.as_str())
            })
            .collect();
        let snapshot = self.snapshot;
        for person in &snapshot.people {
            let known = self.context.base.is_some_and(|base| base.people.contains(person));
            if !known && !joins.contains(&person.as_str()) {
                self.begin_synthetic("member", person, begin);
                let user_id = self.context.ids.person(person);
                self.emit_project(ProjectCommand::SetMember(SetMember { user_id, role: snapshot.role(person) }));
            }
        }
    }

    fn synthetic_cards(&mut self, begin: Timestamp, actions: &[Action]) -> Vec<(Timestamp, &'a Card)> {
        let mut first_touch: HashMap<&str, Timestamp> = HashMap::new();
        for action in actions.iter().filter(|a| a.card_role() != CardRole::Creates) {
            if let Some(card) = action.card() {
                first_touch.entry(card).or_insert(action.at);
            }
        }
        for (action, changes) in actions.iter().zip(&self.initial.changes) {
            for change in changes {
                if let BoardChange::Card { card, change } = change
                    && !matches!(change, CardChange::Created(_))
                {
                    first_touch.entry(card).or_insert(action.at);
                }
            }
        }
        let (initial, snapshot) = (self.initial, self.snapshot);
        let missing = snapshot
            .cards
            .iter()
            .filter(|c| initial.present_cards.contains(&c.id) && !self.present_cards.contains(&c.id));
        let mut cards: Vec<(Timestamp, &Card)> = missing
            .filter_map(|c| {
                let at = fit::time_of_id(&c.id).unwrap_or(begin).max(begin);
                let at = first_touch.get(c.id.as_str()).map_or(at, |touched| at.min(*touched));
                Some((at, initial.cards.get(&c.id)?))
            })
            .collect();
        cards.sort_by_key(|(at, card)| (*at, card.index));
        self.plan.skipped.add_many("card", NOT_IN_HISTORY, cards.len());
        cards
    }

    /// Creates a card whose creation is not in the history.
    pub(super) fn create_synthetic(&mut self, at: Timestamp, card: &Card) {
        let progress = self.current.progress;
        self.begin_synthetic("card", &card.id, at);
        self.current.progress = progress;
        self.create(card);
    }

    pub(super) fn emit_task(
        &mut self,
        card: &str,
        command: taskfold_domain::TaskCommand,
        rank: Option<taskfold_domain::Rank>,
    ) {
        self.emit(ImportCommand::Task { id: self.context.ids.task(card), command, rank });
    }
}
