//! Corrections of one card.

use taskfold_domain::TaskCommand;
use taskfold_domain::input::Time;
use taskfold_domain::task::commands::{Assignee, CreateTask, EditTask, MoveTask, TaskLabel};
use taskfold_domain::task::{self, Situation, Task};

use super::order::has_position;
use super::{Field, Reconciliation};
use crate::command::{Correction, ImportCommand};
use crate::trello::snapshot::Card;

/// The versions of a card in a three-way comparison.
pub(super) struct CardVersions<'a> {
    pub id: taskfold_domain::ids::TaskId,
    pub current: &'a task::Card,
    pub new: &'a Card,
    pub base: Option<&'a Card>,
}

impl Reconciliation {
    /// True if nothing of the card has changed in the source, so that it need not be compared.
    pub fn is_unchanged(&self, card: &Card) -> bool {
        let id = self.ids.task(&card.id);
        !self.touched_tasks.contains(&id) && self.base_card(&card.id).is_some_and(|base| base == card)
    }

    /// Corrections of the task of a card.
    pub fn card(&self, new: &Card, task: &Task) -> Vec<Correction> {
        let id = self.ids.task(&new.id);
        let base = self.base_card(&new.id);
        let mut corrections = Vec::new();
        match &task.situation {
            Situation::Absent => self.create(new, &mut corrections),
            Situation::Deleted { card, .. } => {
                if base.is_none() || self.touched(id, Field::Existence) {
                    corrections.push(Correction::task(id, TaskCommand::Restore(Default::default())));
                    self.compare(&CardVersions { id, current: card, new, base }, &mut corrections);
                }
            }
            Situation::Present(card) => self.compare(&CardVersions { id, current: card, new, base }, &mut corrections),
        }
        corrections
    }

    /// True if the source has changed a value since the last import, or this import has written it.
    pub(super) fn changed<T: PartialEq>(
        &self,
        versions: &CardVersions<'_>,
        field: Field,
        get: impl Fn(&Card) -> T,
    ) -> bool {
        self.touched(versions.id, field) || versions.base.is_none_or(|base| get(base) != get(versions.new))
    }

    fn create(&self, new: &Card, corrections: &mut Vec<Correction>) {
        let id = self.ids.task(&new.id);
        let Ok(title) = new.name.clone().try_into() else { return };
        let create = CreateTask {
            id: Some(id),
            description: new.description.clone().try_into().ok(),
            column_id: self.columns.for_cards(&new.list),
            assignee_ids: new.members.iter().map(|m| self.ids.person(m)).collect(),
            label_ids: new.labels.iter().map(|l| self.ids.label(l)).collect(),
            start_at: new.start.map(Time::from),
            due_at: new.due.map(Time::from),
            ..CreateTask::new(title)
        };
        let command = TaskCommand::Create(Box::new(create));
        corrections.push(Correction::new(ImportCommand::Task { id, command, rank: Some(new.rank()) }));
        if new.closed {
            corrections.push(Correction::task(id, TaskCommand::Archive(Default::default())));
        }
        self.new_checklists(id, &new.checklists, corrections);
        self.new_comments(id, &new.comments, corrections);
    }

    fn compare(&self, versions: &CardVersions<'_>, corrections: &mut Vec<Correction>) {
        self.texts_and_dates(versions, corrections);
        self.placement(versions, corrections);
        self.assignees_and_labels(versions, corrections);
        if versions.current.fields.archived != versions.new.closed
            && self.changed(versions, Field::Closed, |c| c.closed)
        {
            let bare = Default::default();
            let command = if versions.new.closed { TaskCommand::Archive(bare) } else { TaskCommand::Unarchive(bare) };
            corrections.push(Correction::task(versions.id, command));
        }
        self.checklists(versions, corrections);
        self.comments(versions, corrections);
    }

    fn texts_and_dates(&self, versions: &CardVersions<'_>, corrections: &mut Vec<Correction>) {
        let CardVersions { current, new, .. } = versions;
        let mut edit = EditTask::default();
        if current.fields.title != new.name && self.changed(versions, Field::Title, |c| c.name.clone()) {
            edit.title = new.name.clone().try_into().ok();
        }
        if current.fields.description != new.description
            && self.changed(versions, Field::Description, |c| c.description.clone())
        {
            edit.description = Some(new.description.clone().try_into().ok());
        }
        if current.fields.due_at != new.due && self.changed(versions, Field::Due, |c| c.due) {
            edit.due_at = Some(new.due.map(Time::from));
        }
        if current.fields.start_at != new.start && self.changed(versions, Field::Start, |c| c.start) {
            edit.start_at = Some(new.start.map(Time::from));
        }
        if edit != EditTask::default() {
            corrections.push(Correction::task(versions.id, TaskCommand::Edit(Box::new(edit))));
        }
    }

    fn placement(&self, versions: &CardVersions<'_>, corrections: &mut Vec<Correction>) {
        let CardVersions { current, new, .. } = versions;
        let Some(column_id) = self.columns.for_cards(&new.list) else { return };
        let in_place = current.fields.column_id == column_id && has_position(&current.fields.rank, new.pos);
        if !in_place && self.changed(versions, Field::Placement, |c| (c.list.clone(), c.pos)) {
            let command = TaskCommand::Move(MoveTask { column_id, after: None, before: None });
            let command = ImportCommand::Task { id: versions.id, command, rank: Some(new.rank()) };
            corrections.push(Correction::new(command));
        }
    }

    fn assignees_and_labels(&self, versions: &CardVersions<'_>, corrections: &mut Vec<Correction>) {
        let CardVersions { id, current, new, base } = versions;
        let mut push = |command| corrections.push(Correction::task(*id, command));
        let all = base.is_none() || self.touched(*id, Field::Members);
        let had = |person: &String| base.is_some_and(|b| b.members.contains(person));
        for user_id in current.fields.assignee_ids.iter().copied() {
            // People who are not from the source stay assigned.
            if self.people.get(&user_id).is_some_and(|p| !new.members.contains(p) && (all || had(p))) {
                push(TaskCommand::Unassign(Assignee { user_id }));
            }
        }
        for person in &new.members {
            let user_id = self.ids.person(person);
            if !current.fields.assignee_ids.contains(&user_id) && (all || !had(person)) {
                push(TaskCommand::Assign(Assignee { user_id }));
            }
        }
        let all = base.is_none() || self.touched(*id, Field::Labels);
        let had = |label: &String| base.is_some_and(|b| b.labels.contains(label));
        for label_id in current.fields.label_ids.iter().copied() {
            if self.labels.get(&label_id).is_some_and(|l| !new.labels.contains(l) && (all || had(l))) {
                push(TaskCommand::Unlabel(TaskLabel { label_id }));
            }
        }
        for label in &new.labels {
            let label_id = self.ids.label(label);
            if !current.fields.label_ids.contains(&label_id) && (all || !had(label)) {
                push(TaskCommand::Label(TaskLabel { label_id }));
            }
        }
    }
}
