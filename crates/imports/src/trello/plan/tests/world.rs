//! Aggregates that an import is applied to.

use super::super::{Plan, Scene, What, make};
use crate::skipped::Skipped;
use crate::trello::action::Action;
use crate::trello::export::Export;
use crate::trello::ids::Ids;
use crate::trello::reconcile::{Correction, Wanted};
use crate::trello::snapshot::Snapshot;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use taskfold_domain::ids::{ProjectId, TaskId, UserId};
use taskfold_domain::project::{self, Board};
use taskfold_domain::task::{self, Card as TaskCard, Origin, Situation};
use taskfold_domain::{Project, Rank, Task, TaskCommand, TaskEvent, Timestamp};
use uuid::Uuid;

pub const ME: UserId = UserId(Uuid::from_u128(7));
pub const IDS: Ids = Ids { project: ProjectId(Uuid::from_u128(1)), people: ME.0 };

/// Aggregates without a log: what an import does, said in a few lines.
#[derive(Default)]
pub struct World {
    pub project: Project,
    pub tasks: HashMap<TaskId, Task>,
    pub logs: HashMap<TaskId, Vec<TaskEvent>>,
    pub refused: Skipped,
    pub history: Vec<(Timestamp, UserId, String)>,
    pub last: Option<(Snapshot, Option<(Timestamp, String)>)>,
}

impl World {
    pub fn import(&mut self, document: &Value) -> Plan {
        let export = Export::read(document).unwrap_or_default();
        let last = self.last.take();
        let mark = last.as_ref().and_then(|l| l.1.clone());
        let new = |a: &&Action| mark.as_ref().is_none_or(|(at, id)| a.key() > (*at, id.as_str()));
        let actions: Vec<Action> = export.actions.iter().filter(new).cloned().collect();
        let base = last.as_ref().map(|l| &l.0);
        let state = self.project.clone();
        let scene = Scene { ids: IDS, board: state.board(), own: true, base, asked_at: at(2_000_000_000) };
        let plan = make(&export, &actions, scene);
        for step in &plan.steps {
            let actor = step.actor.as_deref().map_or(ME, |m| IDS.person(m));
            self.apply(&step.what, actor, step.at);
        }
        let wanted = Wanted::new(&export, base, (IDS, true), &plan.columns, &plan.steps, &actions);
        self.correct(wanted.board(&self.board()));
        self.correct(wanted.column_order(&self.board()));
        for card in wanted.new.cards.iter().filter(|c| !wanted.is_settled(c)) {
            let task = self.tasks.get(&IDS.task(&card.id)).cloned().unwrap_or_default();
            self.correct(wanted.card(card, &task));
        }
        for card in wanted.gone_cards(&actions) {
            let task = self.tasks.get(&IDS.task(&card)).cloned().unwrap_or_default();
            self.correct(wanted.gone_card(&card, &task).into_iter().collect());
        }
        self.correct(wanted.gone_lists(&self.board()));
        self.last = Some((wanted.next_base(), export.newest_action()));
        plan
    }

    pub fn board(&self) -> Board {
        self.project.board().cloned().unwrap_or_else(|| panic!("no project"))
    }

    pub fn card(&self, id: &str) -> &TaskCard {
        match self.tasks.get(&IDS.task(id)).map(|t| &t.situation) {
            Some(Situation::Present(card)) => card,
            other => panic!("{id} is {other:?}"),
        }
    }

    fn correct(&mut self, corrections: Vec<Correction>) {
        for c in corrections {
            let actor = c.actor.as_deref().map_or(ME, |m| IDS.person(m));
            self.apply(&c.what, actor, c.at.unwrap_or(at(2_000_000_001)));
        }
    }

    pub fn apply(&mut self, what: &What, actor: UserId, at: Timestamp) {
        let origin = Origin::Import;
        let fresh_id = Uuid::new_v5(&ME.0, self.history.len().to_string().as_bytes());
        match what {
            What::Project(command) => {
                let context = project::Context {
                    actor,
                    at,
                    jitter: 5,
                    id: taskfold_domain::ids::ProjectId(fresh_id),
                    fresh_id,
                    origin,
                    teams: Vec::new(),
                    template: None,
                    invited: None,
                };
                match project::decide(&self.project, command, &context) {
                    Ok(events) => {
                        for event in events {
                            self.history.push((at, actor, event.name().to_owned()));
                            self.project.apply(&event);
                        }
                    }
                    Err(refusal) => self.refused.add("project", format!("{refusal} {command:?}")),
                }
            }
            What::Task { id, command, rank } => {
                let task = self.tasks.entry(*id).or_default();
                let log = self.logs.entry(*id).or_default();
                let comment = match command {
                    TaskCommand::EditComment(edit) => Some(edit.comment_id),
                    TaskCommand::RemoveComment(remove) => Some(remove.comment_id),
                    _ => None,
                };
                let digest = comment.and_then(|id| task.card()?.comment(id));
                let comment = digest.and_then(|digest| digest.read_from(log[digest.written_at as usize - 1].clone()));
                let end = Rank::at_end(at, 5);
                let context = task::Context {
                    actor,
                    at,
                    project: Arc::new(self.project.clone()),
                    rank: rank.clone(),
                    end,
                    mentions: vec![],
                    fresh_id,
                    origin,
                    teams: vec![],
                    other: None,
                    comment,
                };
                match task::decide(task, command, &context) {
                    Ok(events) => {
                        for event in events {
                            self.history.push((at, actor, event.name().to_owned()));
                            log.push(event.clone());
                            task.apply(&event);
                        }
                    }
                    Err(refusal) => self.refused.add("task", format!("{refusal} {command:?}")),
                }
            }
        }
    }

    /// The board as it stands equals the export's.
    pub fn assert_equals(&self, document: &Value) {
        let export = Export::read(document).unwrap_or_default();
        let (board, new) = (self.board(), &export.snapshot);
        assert_eq!((&board.fields.name, board.fields.archived), (&new.name, new.closed));
        let columns: Vec<_> = board.fields.columns.iter().map(|c| (c.id, c.name.clone(), c.archived)).collect();
        let lists: Vec<_> = new.ordered_lists().iter().map(|l| (IDS.column(&l.id), l.name.clone(), l.closed)).collect();
        if !lists.is_empty() && lists.len() <= 50 {
            assert_eq!(columns, lists);
        }
        for list in &new.lists {
            let mut wanted: Vec<_> = new.cards.iter().filter(|c| c.list == list.id).collect();
            wanted.sort_by(|a, b| a.pos.total_cmp(&b.pos));
            let wanted: Vec<_> = wanted.iter().map(|c| IDS.task(&c.id)).collect();
            let mut here: Vec<_> = self
                .tasks
                .iter()
                .filter_map(|(id, t)| match &t.situation {
                    Situation::Present(card) if card.fields.column_id == IDS.column(&list.id) => {
                        Some((card.fields.rank.clone(), *id))
                    }
                    _ => None,
                })
                .collect();
            here.sort();
            if lists.len() <= 50 {
                assert_eq!(here.into_iter().map(|h| h.1).collect::<Vec<_>>(), wanted, "{}", list.name);
            }
        }
        for card in &new.cards {
            let here = self.card(&card.id);
            assert_eq!((&here.fields.title, &here.fields.description), (&card.name, &card.description));
            assert_eq!(
                (here.fields.archived, here.fields.due_at, here.fields.start_at),
                (card.closed, card.due, card.start),
                "{}",
                card.name
            );
            let sorted = |mut ids: Vec<Uuid>| {
                ids.sort();
                ids
            };
            let members = card.members.iter().map(|m| IDS.person(m).0).collect();
            assert_eq!(
                sorted(here.fields.assignee_ids.iter().map(|u| u.0).collect()),
                sorted(members),
                "{}",
                card.name
            );
            let labels = card.labels.iter().map(|l| IDS.label(l).0).collect();
            assert_eq!(sorted(here.fields.label_ids.iter().map(|l| l.0).collect()), sorted(labels), "{}", card.name);
            assert_eq!(here.comments.len(), card.comments.len());
            let lists: Vec<_> = card
                .checklists
                .iter()
                .map(|c| (IDS.checklist(&c.id), c.items.iter().map(|i| (i.name.clone(), i.done)).collect::<Vec<_>>()))
                .collect();
            let mut checklists: Vec<_> = here
                .fields
                .checklists
                .iter()
                .map(|c| (c.id, c.items.iter().map(|i| (i.text.clone(), i.done)).collect::<Vec<_>>()))
                .collect();
            checklists.sort_by_key(|(id, _)| lists.iter().position(|(wanted, _)| wanted == id));
            assert_eq!(checklists, lists, "{}", card.name);
        }
    }
}

pub fn at(seconds: i64) -> Timestamp {
    chrono::DateTime::from_timestamp(seconds, 0).unwrap_or_default().into()
}
