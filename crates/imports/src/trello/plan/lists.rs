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
use crate::trello::undo::Did;

impl Planner<'_> {
    pub(super) fn on_board(&mut self, did: &Did) {
        match did {
            Did::BoardNamed(_) | Did::BoardDescribed(_) | Did::BoardClosed(_) if !self.scene.own => {
                self.skip("the project it was imported into keeps its own name, description and state");
            }
            Did::BoardNamed(name) => {
                let name = self.fits(name);
                self.emit_project(ProjectCommand::Edit(EditProject { name, description: None }));
            }
            Did::BoardDescribed(description) => {
                let description = Some(self.fits(description));
                self.emit_project(ProjectCommand::Edit(EditProject { name: None, description }));
            }
            Did::BoardClosed(true) => self.emit_project(ProjectCommand::Archive(Default::default())),
            Did::BoardClosed(false) => self.emit_project(ProjectCommand::Restore(Default::default())),
            Did::MemberJoined(member) => {
                let (user_id, role) = (self.scene.ids.person(member), self.snapshot.role(member));
                self.emit_project(ProjectCommand::SetMember(SetMember { user_id, role }));
            }
            Did::MemberLeft(member) if self.staying.contains(member.as_str()) => {
                self.skip("stays a member, being the author or assignee of what is imported");
            }
            Did::MemberLeft(member) => {
                let user_id = self.scene.ids.person(member);
                self.emit_project(ProjectCommand::RemoveMember(MemberRef { user_id }));
            }
            Did::LabelCreated(label) => self.add_label(label),
            Did::LabelChanged(label) => self.change_label(label),
            Did::LabelRemoved(label) => {
                if self.labels_now.remove(label) {
                    let label_id = self.scene.ids.label(label);
                    self.emit_project(ProjectCommand::RemoveLabel(LabelRef { label_id }));
                } else {
                    self.skip("its label is not on the board");
                }
            }
            Did::ListCreated(list) => self.ensure_list(&list.id),
            Did::ListNamed { list, .. }
            | Did::ListMoved { list, .. }
            | Did::ListClosed { list, .. }
            | Did::ListRemoved { list } => match self.plan.columns.own(list) {
                Some(column_id) => self.on_list(did, list, column_id),
                None => self.skip("its list has no column of its own"),
            },
            Did::Card { card, change } => self.card(card, change),
        }
    }

    fn on_list(&mut self, did: &Did, list: &str, column_id: ColumnId) {
        self.ensure_list(list);
        match did {
            Did::ListNamed { name, .. } => {
                let change = ColumnPatch { name: self.fits(name), ..ColumnPatch::default() };
                self.emit_project(ProjectCommand::EditColumn(EditColumn { column_id, change }));
            }
            Did::ListMoved { pos, .. } => {
                if let Some(place) = self.places.get_mut(list) {
                    place.0 = *pos;
                }
                let change = ColumnPatch { after: Some(self.column_before(list)), ..ColumnPatch::default() };
                self.emit_project(ProjectCommand::EditColumn(EditColumn { column_id, change }));
            }
            Did::ListClosed { closed: true, .. } => {
                self.emit_project(ProjectCommand::ArchiveColumn(ColumnRef { column_id }));
            }
            Did::ListClosed { .. } => self.emit_project(ProjectCommand::RestoreColumn(ColumnRef { column_id })),
            Did::ListRemoved { .. } => self.remove_list(list, column_id),
            _ => {}
        }
    }

    /// A list that leaves the board takes its cards along.
    fn remove_list(&mut self, list: &str, column_id: ColumnId) {
        let mut gone: Vec<String> =
            self.cards_now.iter().filter(|c| self.standing.get(*c).is_some_and(|l| l == list)).cloned().collect();
        gone.sort();
        for card in gone {
            self.cards_now.remove(&card);
            self.emit_task(&card, TaskCommand::Delete(Default::default()), None);
            self.dead.insert(card);
        }
        self.lists_now.remove(list);
        self.emit_project(ProjectCommand::RemoveColumn(ColumnRef { column_id }));
    }

    /// Adds the list's column, if it has one of its own and is not there.
    pub(super) fn ensure_list(&mut self, id: &str) {
        let undone = self.undone;
        let (Some(column), Some(list)) = (self.plan.columns.own(id), undone.lists.get(id)) else { return };
        if self.lists_now.contains(id) {
            return;
        }
        let Some(name) = self.fits(&list.name) else { return };
        let after = Some(self.column_before(id));
        let category = self.plan.columns.category(id);
        self.lists_now.insert(id.to_owned());
        self.add_column(column, name, category, after);
        if list.closed {
            self.emit_project(ProjectCommand::ArchiveColumn(ColumnRef { column_id: column }));
        }
    }

    pub(super) fn add_shared_column(&mut self) {
        if let (Some(id), Some(name)) = (self.plan.columns.shared(), self.fits(OVERFLOW)) {
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

    /// The column of the list before this one; the last of the columns that are not ours, when it is the first.
    fn column_before(&self, list: &str) -> Option<ColumnId> {
        let before = self
            .lists_now
            .iter()
            .filter(|other| *other != list && self.compare(other, list).is_lt())
            .filter(|other| self.plan.columns.own(other).is_some())
            .max_by(|a, b| self.compare(a, b));
        before.and_then(|list| self.plan.columns.own(list)).or_else(|| self.foreign_before())
    }

    /// In a project that was there: the last column that stands before all of ours.
    fn foreign_before(&self) -> Option<ColumnId> {
        let board = self.scene.board.filter(|_| !self.scene.own)?;
        let ours = |id: ColumnId| self.places.keys().any(|list| self.plan.columns.own(list) == Some(id));
        board.fields.columns.iter().take_while(|c| !ours(c.id)).last().map(|c| c.id)
    }

    pub(super) fn compare(&self, a: &str, b: &str) -> Ordering {
        let place = |list: &str| self.places.get(list).copied().unwrap_or((f64::MAX, usize::MAX));
        let ((pos_a, index_a), (pos_b, index_b)) = (place(a), place(b));
        pos_a.total_cmp(&pos_b).then(index_a.cmp(&index_b)).then_with(|| a.cmp(b))
    }

    pub(super) fn ensure_label(&mut self, id: &str) {
        if !self.labels_now.contains(id)
            && let Some(label) = self.label_of(id)
        {
            self.add_label(&label);
        }
    }

    fn add_label(&mut self, label: &Label) {
        if !self.labels_now.insert(label.id.clone()) {
            self.skip("the label is there already");
        } else if let (Some(name), Some(color)) = (self.fits(&label.name), self.fits(&label.color)) {
            let id = Some(self.scene.ids.label(&label.id));
            self.emit_project(ProjectCommand::AddLabel(AddLabel { id, name, color }));
        }
    }

    fn change_label(&mut self, label: &Label) {
        self.ensure_label(&label.id);
        let change = LabelPatch { name: self.fits(&label.name), color: self.fits(&label.color) };
        let label_id = self.scene.ids.label(&label.id);
        self.emit_project(ProjectCommand::EditLabel(EditLabel { label_id, change }));
    }
}
