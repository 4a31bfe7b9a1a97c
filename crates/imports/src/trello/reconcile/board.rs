//! Corrections of the board: its name, lists, labels and members.

use taskfold_domain::ids::ColumnId;
use taskfold_domain::project::Board;
use taskfold_domain::project::commands::{
    AddColumn, AddLabel, ColumnPatch, ColumnRef, EditColumn, EditLabel, EditProject, LabelPatch, LabelRef,
    ProjectCommand, SetMember,
};

use super::Reconciliation;
use crate::command::Correction;
use crate::trello::snapshot::{List, Snapshot};

impl Reconciliation {
    /// Corrections of the name, labels, members and lists, which come before those of the cards.
    pub fn board(&self, board: &Board) -> Vec<Correction> {
        let mut commands = self.name(board);
        self.labels(board, &mut commands);
        self.members(board, &mut commands);
        for list in self.new.ordered_lists() {
            self.list(board, list, &mut commands);
        }
        commands.into_iter().map(Correction::project).collect()
    }

    /// True if a value of the source's board has changed, or is to be set in any case.
    fn board_changed<T: PartialEq>(&self, get: impl Fn(&Snapshot) -> T) -> bool {
        self.board_touched() || self.base.as_ref().is_none_or(|base| get(&base.snapshot) != get(&self.new))
    }

    fn name(&self, board: &Board) -> Vec<ProjectCommand> {
        let mut commands = Vec::new();
        if !self.own {
            return commands;
        }
        let new = &self.new;
        if board.fields.name != new.name && self.board_changed(|s| s.name.clone()) {
            let name = new.name.clone().try_into().ok();
            commands.push(ProjectCommand::Edit(EditProject { name, description: None }));
        }
        if board.fields.description != new.description && self.board_changed(|s| s.description.clone()) {
            let description = Some(new.description.clone().try_into().ok());
            commands.push(ProjectCommand::Edit(EditProject { name: None, description }));
        }
        if board.fields.archived != new.closed && self.board_changed(|s| s.closed) {
            let bare = Default::default();
            commands.push(if new.closed { ProjectCommand::Archive(bare) } else { ProjectCommand::Restore(bare) });
        }
        commands
    }

    fn labels(&self, board: &Board, commands: &mut Vec<ProjectCommand>) {
        let base = |id: &str| self.base.as_ref().and_then(|b| b.snapshot.labels.iter().find(|l| l.id == id));
        for label in &self.new.labels {
            let label_id = self.ids.label(&label.id);
            let (name, color) = (label.name.clone().try_into().ok(), label.color.clone().try_into().ok());
            match (board.fields.labels.iter().find(|l| l.id == label_id), name, color) {
                (None, Some(name), Some(color)) if base(&label.id).is_none() => {
                    commands.push(ProjectCommand::AddLabel(AddLabel { id: Some(label_id), name, color }));
                }
                (Some(current), name, color)
                    if (current.name != label.name || current.color != label.color)
                        && (self.board_touched() || base(&label.id) != Some(label)) =>
                {
                    let change = LabelPatch { name, color };
                    commands.push(ProjectCommand::EditLabel(EditLabel { label_id, change }));
                }
                (Some(_) | None, ..) => {}
            }
        }
        for current in &board.fields.labels {
            if let Some(source) = self.labels.get(&current.id)
                && !self.new.labels.iter().any(|l| l.id == *source)
            {
                commands.push(ProjectCommand::RemoveLabel(LabelRef { label_id: current.id }));
            }
        }
    }

    fn members(&self, board: &Board, commands: &mut Vec<ProjectCommand>) {
        for person in &self.new.people {
            let user_id = self.ids.person(person);
            let role = self.new.role(person);
            let base = self.base.as_ref().map(|b| &b.snapshot).filter(|b| b.people.contains(person));
            let must_set = match base {
                None => board.role_of(user_id).is_none(),
                // A role that was changed in the project is kept, unless it was changed in the source too.
                Some(base) => base.role(person) != role && board.role_of(user_id).is_some_and(|now| now != role),
            };
            if must_set {
                commands.push(ProjectCommand::SetMember(SetMember { user_id, role }));
            }
        }
    }

    fn list(&self, board: &Board, list: &List, commands: &mut Vec<ProjectCommand>) {
        let Some(column_id) = self.columns.own(&list.id) else { return };
        let base = self.base.as_ref().and_then(|b| b.snapshot.lists.iter().find(|l| l.id == list.id));
        let touched = self.board_touched();
        let name = || list.name.clone().try_into().ok();
        let archived = match board.fields.column(column_id) {
            None if base.is_some() => return,
            None => {
                let (Some(name), category) = (name(), self.columns.category(&list.id)) else { return };
                let (wip_limit, wip_policy, after) = (None, Default::default(), None);
                let add = AddColumn { id: Some(column_id), name, category, wip_limit, wip_policy, after };
                commands.push(ProjectCommand::AddColumn(add));
                false
            }
            Some(current) => {
                if current.name != list.name && (touched || base.is_none_or(|b| b.name != list.name)) {
                    let change = ColumnPatch { name: name(), ..ColumnPatch::default() };
                    commands.push(ProjectCommand::EditColumn(EditColumn { column_id, change }));
                }
                current.archived
            }
        };
        if archived != list.closed && (touched || base.is_none_or(|b| b.closed != list.closed)) {
            let column = ColumnRef { column_id };
            commands.push(if list.closed {
                ProjectCommand::ArchiveColumn(column)
            } else {
                ProjectCommand::RestoreColumn(column)
            });
        }
    }

    /// Corrections of the order of columns, on a board that has all of them.
    pub fn column_order(&self, board: &Board) -> Vec<Correction> {
        let ids = |lists: Vec<&List>| -> Vec<ColumnId> {
            let columns = lists.into_iter().filter_map(|l| self.columns.own(&l.id));
            columns.filter(|id| board.fields.column(*id).is_some()).collect()
        };
        let new = ids(self.new.ordered_lists());
        let before = self.base.as_ref().map(|b| ids(b.snapshot.ordered_lists()));
        if before.is_some_and(|before| before == new) && !self.board_touched() {
            return vec![];
        }
        let mut current: Vec<ColumnId> =
            board.fields.columns.iter().map(|c| c.id).filter(|id| new.contains(id)).collect();
        let first_imported = board.fields.columns.iter().position(|c| new.contains(&c.id)).unwrap_or(0);
        let mut after = first_imported.checked_sub(1).map(|i| board.fields.columns[i].id);
        let mut commands = Vec::new();
        for (i, column_id) in new.into_iter().enumerate() {
            if current.get(i) != Some(&column_id) {
                current.retain(|id| *id != column_id);
                current.insert(i.min(current.len()), column_id);
                let change = ColumnPatch { after: Some(after), ..ColumnPatch::default() };
                commands.push(ProjectCommand::EditColumn(EditColumn { column_id, change }));
            }
            after = Some(column_id);
        }
        commands.into_iter().map(Correction::project).collect()
    }

    /// Removal of the columns whose lists the source no longer has. A column that contains other tasks is archived
    /// instead.
    pub fn removed_lists(&self, board: &Board) -> Vec<Correction> {
        let present = |list: &str| self.new.lists.iter().any(|l| l.id == list);
        let mut removed: Vec<ColumnId> =
            self.known_lists.iter().filter(|l| !present(l)).filter_map(|l| self.columns.own(l)).collect();
        removed.sort();
        removed
            .into_iter()
            .filter(|id| board.fields.column(*id).is_some())
            .map(|column_id| Correction {
                fallback: Some(ProjectCommand::ArchiveColumn(ColumnRef { column_id })),
                ..Correction::project(ProjectCommand::RemoveColumn(ColumnRef { column_id }))
            })
            .collect()
    }
}
