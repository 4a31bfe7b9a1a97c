use std::collections::HashMap;

use taskfold_domain::Timestamp;
use taskfold_domain::project::Category;
use taskfold_domain::project::commands::{ColumnRef, CreateProject, NewColumn, ProjectCommand, SetMember};

use super::columns::OVERFLOW;
use super::{Planner, What};
use crate::trello::action::{Action, CardRole};
use crate::trello::fit;
use crate::trello::snapshot::{Card, List};
use crate::trello::undo::{Change, Did};

const MADE_UP: &str = "its creation is not among the export's actions: made from the board as it is";

impl<'a> Planner<'a> {
    /// Plans what was there before the first action; returns the cards to make up, in the order of their times.
    pub(super) fn start(&mut self, actions: &[Action]) -> Vec<(Timestamp, &'a Card)> {
        let begin = self.begin(actions);
        self.what_is_known();
        self.project(begin);
        self.labels(begin);
        self.people(begin);
        self.lists(begin);
        self.cards_to_make_up(begin, actions)
    }

    fn begin(&self, actions: &[Action]) -> Timestamp {
        let first = actions.first().map(|a| a.at);
        let created = actions.iter().find(|a| a.kind == "createBoard").map(|a| a.at);
        let created = created.or_else(|| fit::time_of_id(&self.snapshot.board_id));
        match (created.filter(|_| self.scene.base.is_none()), first) {
            (Some(created), Some(first)) => created.min(first),
            (Some(at), None) | (None, Some(at)) => at,
            (None, None) => self.scene.asked_at,
        }
    }

    fn what_is_known(&mut self) {
        let Some(base) = self.scene.base else { return };
        self.lists_now = base.lists.iter().map(|l| l.id.clone()).collect();
        self.labels_now = base.labels.iter().map(|l| l.id.clone()).collect();
        self.cards_now = base.cards.iter().map(|c| c.id.clone()).collect();
        self.standing = base.cards.iter().map(|c| (c.id.clone(), c.list.clone())).collect();
    }

    fn project(&mut self, begin: Timestamp) {
        self.made_up("project", "", begin);
        if !self.scene.own || self.scene.board.is_some() {
            return;
        }
        let mut first: Vec<List> = self.lists_of_begin().into_iter().cloned().collect();
        if first.is_empty() {
            // A project has at least one column.
            let created = self.undone.did.iter().flatten().find_map(|did| match did {
                Did::ListCreated(list) if self.plan.columns.own(&list.id).is_some() => Some(list.clone()),
                _ => None,
            });
            first.extend(created);
        }
        let mut columns = Vec::new();
        for list in &first {
            if let (Some(id), Some(name)) = (self.plan.columns.own(&list.id), self.fits(&list.name)) {
                let category = self.plan.columns.category(&list.id);
                columns.push(NewColumn {
                    id: Some(id),
                    name,
                    category,
                    wip_limit: None,
                    wip_policy: Default::default(),
                });
                self.lists_now.insert(list.id.clone());
            }
        }
        if self.plan.columns.shared_is_new
            && let (id, Some(name)) = (self.plan.columns.shared(), self.fits(OVERFLOW))
        {
            let category = Category::Todo;
            columns.push(NewColumn { id, name, category, wip_limit: None, wip_policy: Default::default() });
            self.plan.columns.shared_is_new = false;
        }
        let Some(name) = self.fits(&self.undone.name) else { return };
        let description = Some(&self.undone.description).filter(|d| !d.is_empty()).and_then(|d| self.fits(d));
        let columns = Some(columns).filter(|c| !c.is_empty());
        self.emit_project(ProjectCommand::Create(CreateProject {
            template_id: None,
            id: Some(self.scene.ids.project),
            name,
            description,
            columns,
        }));
        for list in first.iter().filter(|l| l.closed) {
            if let Some(column_id) = self.plan.columns.own(&list.id) {
                self.emit_project(ProjectCommand::ArchiveColumn(ColumnRef { column_id }));
            }
        }
        if self.undone.closed {
            self.emit_project(ProjectCommand::Archive(Default::default()));
        }
    }

    /// The lists that were there, in their order then.
    fn lists_of_begin(&self) -> Vec<&'a List> {
        let undone = self.undone;
        let there = undone.lists.values().filter(|l| undone.lists_there.contains(&l.id));
        let mut lists: Vec<&List> = there.filter(|l| self.plan.columns.own(&l.id).is_some()).collect();
        lists.sort_by(|a, b| self.compare(&a.id, &b.id));
        lists
    }

    fn lists(&mut self, begin: Timestamp) {
        if self.plan.columns.shared_is_new {
            self.made_up("list", "overflow", begin);
            self.add_shared_column();
        }
        for list in self.lists_of_begin() {
            if !self.lists_now.contains(&list.id) {
                self.made_up("list", &list.id, begin);
                self.ensure_list(&list.id);
            }
            let told = self.scene.base.is_some_and(|base| base.lists.iter().any(|l| l.id == list.id));
            if !told {
                self.plan.skipped.add("list", MADE_UP);
            }
        }
        let without = self.undone.lists.keys().filter(|l| self.plan.columns.own(l).is_none()).count();
        let why = format!("a project has at most 50 columns: its cards are in `{OVERFLOW}`");
        self.plan.skipped.add_many("list", why, without);
    }

    fn labels(&mut self, begin: Timestamp) {
        let undone = self.undone;
        let mut labels: Vec<&String> = undone.labels_there.iter().filter(|l| !self.labels_now.contains(*l)).collect();
        // In the order of the file; those that are gone, behind.
        let index = |id: &str| self.snapshot.labels.iter().position(|l| l.id == id).unwrap_or(usize::MAX);
        labels.sort_by_key(|id| (index(id), *id));
        for label in labels {
            self.made_up("label", label, begin);
            self.ensure_label(label);
        }
    }

    /// Everybody the board knows, but for those whose joining is told later.
    fn people(&mut self, begin: Timestamp) {
        let joins: Vec<&str> = self
            .undone
            .did
            .iter()
            .flatten()
            .filter_map(|did| match did {
                Did::MemberJoined(member) => Some(member.as_str()),
                _ => None,
            })
            .collect();
        let snapshot = self.snapshot;
        for person in &snapshot.people {
            let known = self.scene.base.is_some_and(|base| base.people.contains(person));
            if !known && !joins.contains(&person.as_str()) {
                self.made_up("member", person, begin);
                let user_id = self.scene.ids.person(person);
                self.emit_project(ProjectCommand::SetMember(SetMember { user_id, role: snapshot.role(person) }));
            }
        }
    }

    fn cards_to_make_up(&mut self, begin: Timestamp, actions: &[Action]) -> Vec<(Timestamp, &'a Card)> {
        let mut first_touch: HashMap<&str, Timestamp> = HashMap::new();
        for action in actions.iter().filter(|a| a.card_role() != CardRole::Creates) {
            if let Some(card) = action.card() {
                first_touch.entry(card).or_insert(action.at);
            }
        }
        for (action, did) in actions.iter().zip(&self.undone.did) {
            for did in did {
                if let Did::Card { card, change } = did
                    && !matches!(change, Change::Created(_))
                {
                    first_touch.entry(card).or_insert(action.at);
                }
            }
        }
        let (undone, snapshot) = (self.undone, self.snapshot);
        let missing =
            snapshot.cards.iter().filter(|c| undone.cards_there.contains(&c.id) && !self.cards_now.contains(&c.id));
        let mut cards: Vec<(Timestamp, &Card)> = missing
            .filter_map(|c| {
                let at = fit::time_of_id(&c.id).unwrap_or(begin).max(begin);
                let at = first_touch.get(c.id.as_str()).map_or(at, |touched| at.min(*touched));
                Some((at, undone.cards.get(&c.id)?))
            })
            .collect();
        cards.sort_by_key(|(at, card)| (*at, card.index));
        self.plan.skipped.add_many("card", MADE_UP, cards.len());
        cards
    }

    /// Makes a card that no action created.
    pub(super) fn make_up(&mut self, at: Timestamp, card: &Card) {
        let progress = self.now.progress;
        self.made_up("card", &card.id, at);
        self.now.progress = progress;
        self.create(card);
    }

    pub(super) fn emit_task(
        &mut self,
        card: &str,
        command: taskfold_domain::TaskCommand,
        rank: Option<taskfold_domain::Rank>,
    ) {
        self.emit(What::Task { id: self.scene.ids.task(card), command, rank });
    }
}
