//! Commands on cards.

use taskfold_domain::TaskCommand;
use taskfold_domain::input::{ItemText, Time};
use taskfold_domain::limits::{ASSIGNEES_PER_TASK, LABELS_PER_TASK};
use taskfold_domain::task::commands::{
    AddChecklist, AddComment, AddItem, Assignee, ChangeItem, CreateTask, EditComment, EditTask, MoveTask,
    RemoveChecklist, RemoveComment, RemoveItem, RenameChecklist, TaskLabel,
};

use super::Planner;
use crate::trello::snapshot::{Card, Checklist, Item, rank};
use crate::trello::undo::{CardChange, CardEdit, ChecklistChange, CommentChange};

impl Planner<'_> {
    pub(super) fn card(&mut self, card: &str, change: &CardChange) {
        if let CardChange::Created(created) = change {
            return self.created(created);
        }
        if !self.present_cards.contains(card) {
            let reason = if self.deleted_cards.contains(card) {
                "its card was deleted before"
            } else {
                "its card is not in the export, nor is its creation"
            };
            return self.skip(reason);
        }
        match change {
            CardChange::Created(_) => {}
            CardChange::Deleted => {
                self.present_cards.remove(card);
                self.deleted_cards.insert(card.to_owned());
                self.emit_task(card, TaskCommand::Delete(Default::default()), None);
            }
            CardChange::Closed(true) => self.emit_task(card, TaskCommand::Archive(Default::default()), None),
            CardChange::Closed(false) => self.emit_task(card, TaskCommand::Unarchive(Default::default()), None),
            CardChange::Placed { list, pos } => self.place(card, list, *pos),
            CardChange::Edited(edit) => self.edit(card, edit),
            CardChange::Assigned(person) => {
                let user_id = self.context.ids.person(person);
                self.emit_task(card, TaskCommand::Assign(Assignee { user_id }), None);
            }
            CardChange::Unassigned(person) => {
                let user_id = self.context.ids.person(person);
                self.emit_task(card, TaskCommand::Unassign(Assignee { user_id }), None);
            }
            CardChange::Labeled(label) => {
                self.ensure_label(label);
                let label_id = self.context.ids.label(label);
                self.emit_task(card, TaskCommand::Label(TaskLabel { label_id }), None);
            }
            CardChange::Unlabeled(label) => {
                let label_id = self.context.ids.label(label);
                self.emit_task(card, TaskCommand::Unlabel(TaskLabel { label_id }), None);
            }
            CardChange::Comment(change) => self.comment(card, change),
            CardChange::Checklist(change) => self.checklist(card, change),
        }
    }

    fn created(&mut self, card: &Card) {
        if self.present_cards.contains(&card.id) {
            self.skip("its card exists already");
        } else if self.deleted_cards.remove(&card.id) {
            self.present_cards.insert(card.id.clone());
            self.emit_task(&card.id, TaskCommand::Restore(Default::default()), None);
            self.place(&card.id, &card.list, card.pos);
        } else {
            self.create(card);
        }
    }

    pub(super) fn create(&mut self, card: &Card) {
        self.ensure_list(&card.list);
        let Some(title) = self.parse_text(&card.name) else { return };
        let description = Some(&card.description).filter(|d| !d.is_empty()).and_then(|d| self.parse_text(d));
        let ids = self.context.ids;
        for label in card.labels.iter().take(LABELS_PER_TASK) {
            self.ensure_label(label);
        }
        let labels = card.labels.iter().filter(|l| self.present_labels.contains(*l)).take(LABELS_PER_TASK);
        let create = CreateTask {
            id: Some(ids.task(&card.id)),
            description,
            column_id: self.plan.columns.for_cards(&card.list),
            assignee_ids: card.members.iter().take(ASSIGNEES_PER_TASK).map(|m| ids.person(m)).collect(),
            label_ids: labels.map(|l| ids.label(l)).collect(),
            start_at: card.start.map(Time::from),
            due_at: card.due.map(Time::from),
            ..CreateTask::new(title)
        };
        self.present_cards.insert(card.id.clone());
        self.list_of_card.insert(card.id.clone(), card.list.clone());
        self.emit_task(&card.id, TaskCommand::Create(Box::new(create)), Some(card.rank()));
        if card.closed {
            self.emit_task(&card.id, TaskCommand::Archive(Default::default()), None);
        }
        for checklist in &card.checklists {
            self.add_checklist(&card.id, checklist);
        }
    }

    fn place(&mut self, card: &str, list: &str, pos: f64) {
        // An action that states only the position leaves the card in its list.
        let current = self.list_of_card.get(card).cloned().unwrap_or_default();
        let list = if list.is_empty() { current.as_str() } else { list };
        self.ensure_list(list);
        self.list_of_card.insert(card.to_owned(), list.to_owned());
        let Some(column_id) = self.plan.columns.for_cards(list) else {
            return self.skip("its list is not in the export");
        };
        let index = self.initial.cards.get(card).map_or(usize::MAX, |c| c.index);
        let command = TaskCommand::Move(MoveTask { column_id, after: None, before: None });
        self.emit_task(card, command, Some(rank(pos, index)));
    }

    fn edit(&mut self, card: &str, change: &CardEdit) {
        let mut edit = EditTask::default();
        match change {
            CardEdit::Name(name) => edit.title = self.parse_text(name),
            CardEdit::Description(description) => edit.description = Some(self.parse_text(description)),
            CardEdit::Due(due) => edit.due_at = Some(due.map(Time::from)),
            CardEdit::Start(start) => edit.start_at = Some(start.map(Time::from)),
        }
        self.emit_task(card, TaskCommand::Edit(Box::new(edit)), None);
    }

    fn comment(&mut self, card: &str, change: &CommentChange) {
        let ids = self.context.ids;
        let command = match change {
            CommentChange::Added { comment, text } => {
                let Some(text) = self.parse_text(text) else { return };
                TaskCommand::Comment(AddComment { id: Some(ids.comment(comment)), text })
            }
            CommentChange::Edited { comment, text } => {
                let Some(text) = self.parse_text(text) else { return };
                TaskCommand::EditComment(EditComment { comment_id: ids.comment(comment), text })
            }
            CommentChange::Removed { comment } => {
                TaskCommand::RemoveComment(RemoveComment { comment_id: ids.comment(comment) })
            }
        };
        self.emit_task(card, command, None);
    }

    fn add_checklist(&mut self, card: &str, checklist: &Checklist) {
        let ids = self.context.ids;
        let Some(title) = self.parse_text(&checklist.name) else { return };
        let add = AddChecklist { id: Some(ids.checklist(&checklist.id)), title };
        self.emit_task(card, TaskCommand::AddChecklist(add), None);
        for item in &checklist.items {
            self.add_item(card, &checklist.id, item);
        }
    }

    fn add_item(&mut self, card: &str, checklist: &str, item: &Item) {
        let ids = self.context.ids;
        let Some(text) = self.parse_text::<ItemText>(&item.name) else { return };
        let (checklist_id, id) = (ids.checklist(checklist), Some(ids.item(&item.id)));
        let add = AddItem { checklist_id, id, text, done: item.done, after: None };
        self.emit_task(card, TaskCommand::AddChecklistItem(add), None);
    }

    fn checklist(&mut self, card: &str, change: &ChecklistChange) {
        let ids = self.context.ids;
        let command = match change {
            ChecklistChange::Added(checklist) => return self.add_checklist(card, checklist),
            ChecklistChange::ItemAdded { checklist, item } => return self.add_item(card, checklist, item),
            ChecklistChange::Renamed { checklist, name } => {
                let Some(title) = self.parse_text(name) else { return };
                TaskCommand::RenameChecklist(RenameChecklist { checklist_id: ids.checklist(checklist), title })
            }
            ChecklistChange::Removed { checklist } => {
                TaskCommand::RemoveChecklist(RemoveChecklist { checklist_id: ids.checklist(checklist) })
            }
            ChecklistChange::ItemChanged { checklist, item, text, done } => {
                let text = text.as_ref().and_then(|t| self.parse_text(t));
                let (checklist_id, item_id) = (ids.checklist(checklist), ids.item(item));
                let change = ChangeItem { checklist_id, item_id, text, done: *done, after: None };
                TaskCommand::ChangeChecklistItem(change)
            }
            ChecklistChange::ItemRemoved { checklist, item } => {
                let remove = RemoveItem { checklist_id: ids.checklist(checklist), item_id: ids.item(item) };
                TaskCommand::RemoveChecklistItem(remove)
            }
        };
        self.emit_task(card, command, None);
    }
}
