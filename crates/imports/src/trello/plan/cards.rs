use taskfold_domain::TaskCommand;
use taskfold_domain::input::{ASSIGNEES_PER_TASK, ItemText, LABELS_PER_TASK, Time};
use taskfold_domain::task::commands::{
    AddChecklist, AddComment, AddItem, Assignee, ChangeItem, CreateTask, EditComment, EditTask, MoveTask,
    RemoveChecklist, RemoveComment, RemoveItem, RenameChecklist, TaskLabel,
};

use super::Planner;
use crate::trello::snapshot::{Card, Checklist, Item, rank};
use crate::trello::undo::Change;

impl Planner<'_> {
    pub(super) fn card(&mut self, card: &str, change: &Change) {
        if let Change::Created(created) = change {
            return self.created(created);
        }
        if !self.cards_now.contains(card) {
            let why = if self.dead.contains(card) {
                "its card was deleted before"
            } else {
                "its card is not in the export, nor is its creation"
            };
            return self.skip(why);
        }
        match change {
            Change::Created(_) => {}
            Change::Deleted => {
                self.cards_now.remove(card);
                self.dead.insert(card.to_owned());
                self.emit_task(card, TaskCommand::Delete(Default::default()), None);
            }
            Change::Closed(true) => self.emit_task(card, TaskCommand::Archive(Default::default()), None),
            Change::Closed(false) => self.emit_task(card, TaskCommand::Unarchive(Default::default()), None),
            Change::Placed { list, pos } => self.place(card, list, *pos),
            Change::Named(_) | Change::Described(_) | Change::Due(_) | Change::Starts(_) => self.edit(card, change),
            Change::Assigned(person) => {
                let user_id = self.scene.ids.person(person);
                self.emit_task(card, TaskCommand::Assign(Assignee { user_id }), None);
            }
            Change::Unassigned(person) => {
                let user_id = self.scene.ids.person(person);
                self.emit_task(card, TaskCommand::Unassign(Assignee { user_id }), None);
            }
            Change::Labeled(label) => {
                self.ensure_label(label);
                let label_id = self.scene.ids.label(label);
                self.emit_task(card, TaskCommand::Label(TaskLabel { label_id }), None);
            }
            Change::Unlabeled(label) => {
                let label_id = self.scene.ids.label(label);
                self.emit_task(card, TaskCommand::Unlabel(TaskLabel { label_id }), None);
            }
            Change::Commented { .. } | Change::CommentEdited { .. } | Change::CommentRemoved { .. } => {
                self.comment(card, change);
            }
            _ => self.checklist(card, change),
        }
    }

    fn created(&mut self, card: &Card) {
        if self.cards_now.contains(&card.id) {
            self.skip("its card is there already");
        } else if self.dead.remove(&card.id) {
            self.cards_now.insert(card.id.clone());
            self.emit_task(&card.id, TaskCommand::Restore(Default::default()), None);
            self.place(&card.id, &card.list, card.pos);
        } else {
            self.create(card);
        }
    }

    pub(super) fn create(&mut self, card: &Card) {
        self.ensure_list(&card.list);
        let Some(title) = self.fits(&card.name) else { return };
        let description = Some(&card.description).filter(|d| !d.is_empty()).and_then(|d| self.fits(d));
        let ids = self.scene.ids;
        for label in card.labels.iter().take(LABELS_PER_TASK) {
            self.ensure_label(label);
        }
        let time = |time: Option<taskfold_domain::Timestamp>| time.map(Time::from);
        let labels = card.labels.iter().filter(|l| self.labels_now.contains(*l)).take(LABELS_PER_TASK);
        let create = CreateTask {
            id: Some(ids.task(&card.id)),
            description,
            column_id: self.plan.columns.of_cards(&card.list),
            assignee_ids: card.members.iter().take(ASSIGNEES_PER_TASK).map(|m| ids.person(m)).collect(),
            label_ids: labels.map(|l| ids.label(l)).collect(),
            start_at: time(card.start),
            due_at: time(card.due),
            ..CreateTask::new(title)
        };
        self.cards_now.insert(card.id.clone());
        self.standing.insert(card.id.clone(), card.list.clone());
        self.emit_task(&card.id, TaskCommand::Create(Box::new(create)), Some(card.rank()));
        if card.closed {
            self.emit_task(&card.id, TaskCommand::Archive(Default::default()), None);
        }
        for checklist in &card.checklists {
            self.add_checklist(&card.id, checklist);
        }
    }

    fn place(&mut self, card: &str, list: &str, pos: f64) {
        // An action that only says the position leaves the card in its list.
        let here = self.standing.get(card).cloned().unwrap_or_default();
        let list = if list.is_empty() { here.as_str() } else { list };
        self.ensure_list(list);
        self.standing.insert(card.to_owned(), list.to_owned());
        let Some(column_id) = self.plan.columns.of_cards(list) else {
            return self.skip("its list is not in the export");
        };
        let index = self.undone.cards.get(card).map_or(usize::MAX, |c| c.index);
        let command = TaskCommand::Move(MoveTask { column_id, after: None, before: None });
        self.emit_task(card, command, Some(rank(pos, index)));
    }

    fn edit(&mut self, card: &str, change: &Change) {
        let mut edit = EditTask::default();
        let time = |time: Option<taskfold_domain::Timestamp>| time.map(Time::from);
        match change {
            Change::Named(name) => edit.title = self.fits(name),
            Change::Described(description) => edit.description = Some(self.fits(description)),
            Change::Due(due) => edit.due_at = Some(time(*due)),
            Change::Starts(start) => edit.start_at = Some(time(*start)),
            _ => {}
        }
        self.emit_task(card, TaskCommand::Edit(Box::new(edit)), None);
    }

    fn comment(&mut self, card: &str, change: &Change) {
        let ids = self.scene.ids;
        let command = match change {
            Change::Commented { comment, text } => {
                let Some(text) = self.fits(text) else { return };
                TaskCommand::Comment(AddComment { id: Some(ids.comment(comment)), text })
            }
            Change::CommentEdited { comment, text } => {
                let Some(text) = self.fits(text) else { return };
                TaskCommand::EditComment(EditComment { comment_id: ids.comment(comment), text })
            }
            Change::CommentRemoved { comment } => {
                TaskCommand::RemoveComment(RemoveComment { comment_id: ids.comment(comment) })
            }
            _ => return,
        };
        self.emit_task(card, command, None);
    }

    fn add_checklist(&mut self, card: &str, checklist: &Checklist) {
        let ids = self.scene.ids;
        let Some(title) = self.fits(&checklist.name) else { return };
        let add = AddChecklist { id: Some(ids.checklist(&checklist.id)), title };
        self.emit_task(card, TaskCommand::AddChecklist(add), None);
        for item in &checklist.items {
            self.add_item(card, &checklist.id, item);
        }
    }

    fn add_item(&mut self, card: &str, checklist: &str, item: &Item) {
        let ids = self.scene.ids;
        let Some(text) = self.fits::<ItemText>(&item.name) else { return };
        let (checklist_id, id) = (ids.checklist(checklist), Some(ids.item(&item.id)));
        let add = AddItem { checklist_id, id, text, done: item.done, after: None };
        self.emit_task(card, TaskCommand::AddChecklistItem(add), None);
    }

    fn checklist(&mut self, card: &str, change: &Change) {
        let ids = self.scene.ids;
        let command = match change {
            Change::ChecklistAdded(checklist) => return self.add_checklist(card, checklist),
            Change::ItemAdded { checklist, item } => return self.add_item(card, checklist, item),
            Change::ChecklistNamed { checklist, name } => {
                let Some(title) = self.fits(name) else { return };
                TaskCommand::RenameChecklist(RenameChecklist { checklist_id: ids.checklist(checklist), title })
            }
            Change::ChecklistRemoved { checklist } => {
                TaskCommand::RemoveChecklist(RemoveChecklist { checklist_id: ids.checklist(checklist) })
            }
            Change::ItemChanged { checklist, item, text, done } => {
                let text = text.as_ref().and_then(|t| self.fits(t));
                let (checklist_id, item_id) = (ids.checklist(checklist), ids.item(item));
                let change = ChangeItem { checklist_id, item_id, text, done: *done, after: None };
                TaskCommand::ChangeChecklistItem(change)
            }
            Change::ItemRemoved { checklist, item } => {
                let remove = RemoveItem { checklist_id: ids.checklist(checklist), item_id: ids.item(item) };
                TaskCommand::RemoveChecklistItem(remove)
            }
            _ => return,
        };
        self.emit_task(card, command, None);
    }
}
