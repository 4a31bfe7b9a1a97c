//! Aggregates that an import is applied to.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;
use taskfold_domain::ids::{ProjectId, TaskId, UserId};
use taskfold_domain::project::{self, Board};
use taskfold_domain::task::{self, Card as TaskCard, Origin, Situation};
use taskfold_domain::{Project, Rank, Task, TaskEvent, Timestamp};
use uuid::Uuid;

use crate::command::{Correction, ImportCommand};
use crate::skipped::Skipped;
use crate::source::{Export as _, IdScope, ImportContext, Watermark};
use crate::trello::export::Export;
use crate::trello::ids::Ids;

pub const ME: UserId = UserId(Uuid::from_u128(7));
const SCOPE: IdScope = IdScope { project: ProjectId(Uuid::from_u128(1)), people: ME.0 };
pub const IDS: Ids = Ids(SCOPE);

/// Aggregates without a log: an import in a few lines.
#[derive(Default)]
pub struct Simulation {
    pub project: Project,
    pub tasks: HashMap<TaskId, Task>,
    pub logs: HashMap<TaskId, Vec<TaskEvent>>,
    pub refused: Skipped,
    pub history: Vec<(Timestamp, UserId, String)>,
    pub last: Option<(Box<RawValue>, Watermark)>,
}

impl Simulation {
    /// Imports a board, and returns what was skipped.
    pub fn import(&mut self, document: &Value) -> Skipped {
        let export = Export::read(document).unwrap_or_default();
        let watermark = export.watermark();
        let last = self.last.take();
        let state = self.project.clone();
        let context = ImportContext {
            scope: SCOPE,
            board: state.board(),
            own: true,
            base: last.as_ref().map(|(snapshot, _)| &**snapshot),
            imported_up_to: last.as_ref().and_then(|(_, watermark)| watermark.newest_action.as_ref()),
            requested_at: at(2_000_000_000),
        };
        let import = Box::new(export).plan(context).unwrap_or_else(|e| panic!("{e}"));
        for step in import.steps() {
            self.apply(&step.command, step.actor.unwrap_or(ME), step.at);
        }
        self.correct(import.board_corrections(&self.board()));
        self.correct(import.column_order_corrections(&self.board()));
        for id in import.tasks_to_compare() {
            let task = self.tasks.get(&id).cloned().unwrap_or_default();
            self.correct(import.task_corrections(id, &task));
        }
        self.correct(import.removed_list_corrections(&self.board()));
        let snapshot = import.snapshot().unwrap_or_else(|e| panic!("{e}"));
        self.last = Some((snapshot, watermark));
        import.skipped().clone()
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
            self.apply(&c.command, c.actor.unwrap_or(ME), c.at.unwrap_or(at(2_000_000_001)));
        }
    }

    pub fn apply(&mut self, command: &ImportCommand, actor: UserId, at: Timestamp) {
        let origin = Origin::Import;
        let fresh_id = Uuid::new_v5(&ME.0, self.history.len().to_string().as_bytes());
        match command {
            ImportCommand::Project(command) => {
                let context = project::Context {
                    actor,
                    at,
                    jitter: 5,
                    id: taskfold_domain::ids::ProjectId(fresh_id),
                    fresh_id,
                    origin,
                    teams: Vec::new(),
                    template: None,
                    invitation: None,
                    teams_then: Vec::new(),
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
            ImportCommand::Task { id, command, rank } => {
                let task = self.tasks.entry(*id).or_default();
                let log = self.logs.entry(*id).or_default();
                let comment = command.required_facts().comment;
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
                    deleted_dependencies: 0,
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
                    Situation::Present(card) => {
                        (card.fields.column_id == IDS.column(&list.id)).then(|| (card.fields.rank.clone(), *id))
                    }
                    Situation::Absent | Situation::Deleted { .. } => None,
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
