//! Commands on lists, labels, members and the board.

use std::cmp::Ordering;

use taskfold_domain::TaskCommand;
use taskfold_domain::ids::ColumnId;
use taskfold_domain::project::Category;
use taskfold_domain::project::commands::{
    AddColumn, AddLabel, ColumnPatch, ColumnRef, EditColumn, EditLabel, EditProject, LabelPatch, LabelRef, MemberRef,
    ProjectCommand, SetMember,
};

use super::Planner;
use super::columns::OVERFLOW;
use crate::trello::snapshot::Label;
use crate::trello::undo::{BoardChange, ListChange};

impl Planner<'_> {
    pub(super) fn change(&mut self, change: &BoardChange) {
        match change {
            BoardChange::Renamed(_) | BoardChange::Described(_) | BoardChange::Closed(_) if !self.context.own => {
                self.skip("the project it was imported into keeps its own name, description and state");
            }
            BoardChange::Renamed(name) => {
                let name = self.parse_text(name);
                self.emit_project(ProjectCommand::Edit(EditProject { name, description: None }));
            }
            BoardChange::Described(description) => {
                let description = Some(self.parse_text(description));
                self.emit_project(ProjectCommand::Edit(EditProject { name: None, description }));
            }
            BoardChange::Closed(true) => self.emit_project(ProjectCommand::Archive(Default::default())),
            BoardChange::Closed(false) => self.emit_project(ProjectCommand::Restore(Default::default())),
            BoardChange::MemberJoined(member) => {
                let (user_id, role) = (self.context.ids.person(member), self.snapshot.role(member));
                self.emit_project(ProjectCommand::SetMember(SetMember { user_id, role }));
            }
            BoardChange::MemberLeft(member) if self.people_to_keep.contains(member.as_str()) => {
                self.skip("stays a member, as the author or assignee of imported content");
            }
            BoardChange::MemberLeft(member) => {
                let user_id = self.context.ids.person(member);
                self.emit_project(ProjectCommand::RemoveMember(MemberRef { user_id }));
            }
            BoardChange::LabelCreated(label) => self.add_label(label),
            BoardChange::LabelChanged(label) => self.change_label(label),
            BoardChange::LabelRemoved(label) => {
                if self.present_labels.remove(label) {
                    let label_id = self.context.ids.label(label);
                    self.emit_project(ProjectCommand::RemoveLabel(LabelRef { label_id }));
                } else {
                    self.skip("its label is not on the board");
                }
            }
            BoardChange::ListCreated(list) => self.ensure_list(&list.id),
            BoardChange::List { list, change } => match self.plan.columns.own(list) {
                Some(column_id) => self.list(list, column_id, change),
                None => self.skip("its list has no column of its own"),
            },
            BoardChange::Card { card, change } => self.card(card, change),
        }
    }

    fn list(&mut self, list: &str, column_id: ColumnId, change: &ListChange) {
        self.ensure_list(list);
        match change {
            ListChange::Renamed(name) => {
                let change = ColumnPatch { name: self.parse_text(name), ..ColumnPatch::default() };
                self.emit_project(ProjectCommand::EditColumn(EditColumn { column_id, change }));
            }
            ListChange::Moved(pos) => {
                if let Some(position) = self.list_positions.get_mut(list) {
                    position.0 = *pos;
                }
                let change = ColumnPatch { after: Some(self.column_before(list)), ..ColumnPatch::default() };
                self.emit_project(ProjectCommand::EditColumn(EditColumn { column_id, change }));
            }
            ListChange::Closed(true) => {
                self.emit_project(ProjectCommand::ArchiveColumn(ColumnRef { column_id }));
            }
            ListChange::Closed(false) => {
                self.emit_project(ProjectCommand::RestoreColumn(ColumnRef { column_id }));
            }
            ListChange::Removed => self.remove_list(list, column_id),
        }
    }

    /// Removes a list that was moved to another board, with its cards.
    fn remove_list(&mut self, list: &str, column_id: ColumnId) {
        let mut removed: Vec<String> = self
            .present_cards
            .iter()
            .filter(|c| self.list_of_card.get(*c).is_some_and(|l| l == list))
            .cloned()
            .collect();
        removed.sort();
        for card in removed {
            self.present_cards.remove(&card);
            self.emit_task(&card, TaskCommand::Delete(Default::default()), None);
            self.deleted_cards.insert(card);
        }
        self.present_lists.remove(list);
        self.emit_project(ProjectCommand::RemoveColumn(ColumnRef { column_id }));
    }

    /// Adds the column of a list, if the list has a column of its own and the column does not exist yet.
    pub(super) fn ensure_list(&mut self, id: &str) {
        let initial = self.initial;
        let (Some(column), Some(list)) = (self.plan.columns.own(id), initial.lists.get(id)) else { return };
        if self.present_lists.contains(id) {
            return;
        }
        let Some(name) = self.parse_text(&list.name) else { return };
        let after = Some(self.column_before(id));
        let category = self.plan.columns.category(id);
        self.present_lists.insert(id.to_owned());
        self.add_column(column, name, category, after);
        if list.closed {
            self.emit_project(ProjectCommand::ArchiveColumn(ColumnRef { column_id: column }));
        }
    }

    pub(super) fn add_shared_column(&mut self) {
        if let (Some(id), Some(name)) = (self.plan.columns.shared(), self.parse_text(OVERFLOW)) {
            self.add_column(id, name, Category::Todo, None);
        }
    }

    fn add_column(
        &mut self,
        id: ColumnId,
        name: taskfold_domain::input::Name,
        category: Category,
        after: Option<Option<ColumnId>>,
    ) {
        let (wip_limit, wip_policy) = (None, Default::default());
        let column = AddColumn { id: Some(id), name, category, wip_limit, wip_policy, after };
        self.emit_project(ProjectCommand::AddColumn(column));
    }

    /// Column of the list before this one. For the first list: the last of the columns that were there before the
    /// import.
    fn column_before(&self, list: &str) -> Option<ColumnId> {
        let before = self
            .present_lists
            .iter()
            .filter(|other| *other != list && self.compare(other, list).is_lt())
            .filter(|other| self.plan.columns.own(other).is_some())
            .max_by(|a, b| self.compare(a, b));
        before.and_then(|list| self.plan.columns.own(list)).or_else(|| self.last_column_of_project())
    }

    /// In a project that existed before: the last column before all imported ones.
    fn last_column_of_project(&self) -> Option<ColumnId> {
        let board = self.context.board.filter(|_| !self.context.own)?;
        let imported = |id: ColumnId| self.list_positions.keys().any(|list| self.plan.columns.own(list) == Some(id));
        board.fields.columns.iter().take_while(|c| !imported(c.id)).last().map(|c| c.id)
    }

    pub(super) fn compare(&self, a: &str, b: &str) -> Ordering {
        let position = |list: &str| self.list_positions.get(list).copied().unwrap_or((f64::MAX, usize::MAX));
        let ((pos_a, index_a), (pos_b, index_b)) = (position(a), position(b));
        pos_a.total_cmp(&pos_b).then(index_a.cmp(&index_b)).then_with(|| a.cmp(b))
    }

    pub(super) fn ensure_label(&mut self, id: &str) {
        if !self.present_labels.contains(id)
            && let Some(label) = self.label_of(id)
        {
            self.add_label(&label);
        }
    }

    fn add_label(&mut self, label: &Label) {
        if !self.present_labels.insert(label.id.clone()) {
            self.skip("the label exists already");
        } else if let (Some(name), Some(color)) = (self.parse_text(&label.name), self.parse_text(&label.color)) {
            let id = Some(self.context.ids.label(&label.id));
            self.emit_project(ProjectCommand::AddLabel(AddLabel { id, name, color }));
        }
    }

    fn change_label(&mut self, label: &Label) {
        self.ensure_label(&label.id);
        let change = LabelPatch { name: self.parse_text(&label.name), color: self.parse_text(&label.color) };
        let label_id = self.context.ids.label(&label.id);
        self.emit_project(ProjectCommand::EditLabel(EditLabel { label_id, change }));
    }
}
