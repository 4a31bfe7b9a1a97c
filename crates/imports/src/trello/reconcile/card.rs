use taskfold_domain::TaskCommand;
use taskfold_domain::input::Time;
use taskfold_domain::task::commands::{Assignee, CreateTask, EditTask, MoveTask, TaskLabel};
use taskfold_domain::task::{self, Situation, Task};

use super::order::stands_at;
use super::{Correction, Field, Wanted};
use crate::trello::plan::What;
use crate::trello::snapshot::Card;

/// One card in the three boards.
pub(super) struct Three<'a> {
    pub id: taskfold_domain::ids::TaskId,
    pub here: &'a task::Card,
    pub new: &'a Card,
    pub base: Option<&'a Card>,
}

impl Wanted<'_> {
    /// Whether a card needs no look: nothing of it has changed in the source.
    pub fn is_settled(&self, card: &Card) -> bool {
        let id = self.ids.task(&card.id);
        let touched = self.tasks_touched.contains(&id);
        !touched && self.base.as_ref().and_then(|b| b.cards.get(card.id.as_str())).is_some_and(|b| **b == *card)
    }

    /// What is to change on a card of the source.
    pub fn card(&self, new: &Card, task: &Task) -> Vec<Correction> {
        let id = self.ids.task(&new.id);
        let base = self.base.as_ref().and_then(|b| b.cards.get(new.id.as_str())).copied();
        let mut corrections = Vec::new();
        match &task.situation {
            Situation::Absent => self.create(new, &mut corrections),
            Situation::Deleted { card, .. } => {
                if base.is_none() || self.touched(id, Field::Existence) {
                    corrections.push(Correction::task(id, TaskCommand::Restore(Default::default())));
                    self.compare(&Three { id, here: card, new, base }, &mut corrections);
                }
            }
            Situation::Present(card) => self.compare(&Three { id, here: card, new, base }, &mut corrections),
        }
        corrections
    }

    /// A card that the source has no more.
    pub fn gone_card(&self, source: &str, task: &Task) -> Option<Correction> {
        let id = self.ids.task(source);
        matches!(task.situation, Situation::Present(_))
            .then(|| Correction::task(id, TaskCommand::Delete(Default::default())))
    }

    /// Whether the source has changed this since the last import, or this import has written it.
    pub(super) fn changed<T: PartialEq>(&self, three: &Three<'_>, field: Field, get: impl Fn(&Card) -> T) -> bool {
        self.touched(three.id, field) || three.base.is_none_or(|base| get(base) != get(three.new))
    }

    fn create(&self, new: &Card, corrections: &mut Vec<Correction>) {
        let id = self.ids.task(&new.id);
        let Ok(title) = new.name.clone().try_into() else { return };
        let create = CreateTask {
            id: Some(id),
            description: new.description.clone().try_into().ok(),
            column_id: self.columns.of_cards(&new.list),
            assignee_ids: new.members.iter().map(|m| self.ids.person(m)).collect(),
            label_ids: new.labels.iter().map(|l| self.ids.label(l)).collect(),
            start_at: new.start.map(Time::from),
            due_at: new.due.map(Time::from),
            ..CreateTask::new(title)
        };
        let what = What::Task { id, command: TaskCommand::Create(Box::new(create)), rank: Some(new.rank()) };
        corrections.push(Correction { what, actor: None, at: None, otherwise: None });
        if new.closed {
            corrections.push(Correction::task(id, TaskCommand::Archive(Default::default())));
        }
        self.new_checklists(id, &new.checklists, corrections);
        self.new_comments(id, &new.comments, corrections);
    }

    fn compare(&self, three: &Three<'_>, corrections: &mut Vec<Correction>) {
        self.texts_and_dates(three, corrections);
        self.place(three, corrections);
        self.sets(three, corrections);
        if three.here.fields.archived != three.new.closed && self.changed(three, Field::Closed, |c| c.closed) {
            let bare = Default::default();
            let command = if three.new.closed { TaskCommand::Archive(bare) } else { TaskCommand::Unarchive(bare) };
            corrections.push(Correction::task(three.id, command));
        }
        self.checklists(three, corrections);
        self.comments(three, corrections);
    }

    fn texts_and_dates(&self, three: &Three<'_>, corrections: &mut Vec<Correction>) {
        let Three { here, new, .. } = three;
        let mut edit = EditTask::default();
        if here.fields.title != new.name && self.changed(three, Field::Title, |c| c.name.clone()) {
            edit.title = new.name.clone().try_into().ok();
        }
        if here.fields.description != new.description
            && self.changed(three, Field::Description, |c| c.description.clone())
        {
            edit.description = Some(new.description.clone().try_into().ok());
        }
        if here.fields.due_at != new.due && self.changed(three, Field::Due, |c| c.due) {
            edit.due_at = Some(new.due.map(Time::from));
        }
        if here.fields.start_at != new.start && self.changed(three, Field::Start, |c| c.start) {
            edit.start_at = Some(new.start.map(Time::from));
        }
        if edit != EditTask::default() {
            corrections.push(Correction::task(three.id, TaskCommand::Edit(Box::new(edit))));
        }
    }

    fn place(&self, three: &Three<'_>, corrections: &mut Vec<Correction>) {
        let Three { here, new, .. } = three;
        let Some(column_id) = self.columns.of_cards(&new.list) else { return };
        let there = here.fields.column_id == column_id && stands_at(&here.fields.rank, new.pos);
        if !there && self.changed(three, Field::Place, |c| (c.list.clone(), c.pos)) {
            let command = TaskCommand::Move(MoveTask { column_id, after: None, before: None });
            let what = What::Task { id: three.id, command, rank: Some(new.rank()) };
            corrections.push(Correction { what, actor: None, at: None, otherwise: None });
        }
    }

    fn sets(&self, three: &Three<'_>, corrections: &mut Vec<Correction>) {
        let Three { id, here, new, base } = three;
        let mut push = |command| corrections.push(Correction::task(*id, command));
        let all = base.is_none() || self.touched(*id, Field::Members);
        let had = |person: &String| base.is_some_and(|b| b.members.contains(person));
        for user_id in here.fields.assignee_ids.iter().copied() {
            // People of this side are left alone.
            if self.people.get(&user_id).is_some_and(|p| !new.members.contains(p) && (all || had(p))) {
                push(TaskCommand::Unassign(Assignee { user_id }));
            }
        }
        for person in &new.members {
            let user_id = self.ids.person(person);
            if !here.fields.assignee_ids.contains(&user_id) && (all || !had(person)) {
                push(TaskCommand::Assign(Assignee { user_id }));
            }
        }
        let all = base.is_none() || self.touched(*id, Field::Labels);
        let had = |label: &String| base.is_some_and(|b| b.labels.contains(label));
        for label_id in here.fields.label_ids.iter().copied() {
            if self.labels.get(&label_id).is_some_and(|l| !new.labels.contains(l) && (all || had(l))) {
                push(TaskCommand::Unlabel(TaskLabel { label_id }));
            }
        }
        for label in &new.labels {
            let label_id = self.ids.label(label);
            if !here.fields.label_ids.contains(&label_id) && (all || !had(label)) {
                push(TaskCommand::Label(TaskLabel { label_id }));
            }
        }
    }
}
