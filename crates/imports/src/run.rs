use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::PgPool;
use taskfold_commands::{CommandError, Engine};
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_domain::project::Board;
use taskfold_domain::task::commands::MoveTask;
use taskfold_domain::{Project, Rank, Role, TaskCommand, Timestamp};
use taskfold_event_log::deadline::{REQUEST, within};
use uuid::Uuid;

use super::people;
use super::send::{Failure, Letter, Sender};
use super::skipped::Skipped;
use super::store::{self, Base, Finished, Job};
use super::trello::action::Action;
use super::trello::export::Export;
use super::trello::ids::Ids;
use super::trello::parse;
use super::trello::plan::{self, Plan, Scene, What};
use super::trello::reconcile::{Correction, Wanted, order};
use super::trello::snapshot::{Card, Snapshot};

/// How far an import is, for the heartbeat.
#[derive(Debug, Default)]
pub struct Progress {
    pub total: AtomicI64,
    pub done: AtomicI64,
}

/// Imports a board: the history as commands, then what differs from the board as the export shows it. Every command
/// has the same id each time, so running it again, after a crash or for a newer export, does nothing twice.
pub async fn run(engine: &Engine, pool: &PgPool, job: &mut Job, progress: &Progress) -> Result<Finished, Failure> {
    let document = std::mem::take(&mut job.document);
    let export = blocking(move || {
        let document = parse::document(&document).ok_or_else(|| "the upload is not JSON".to_owned())?;
        Export::read(&document).map_err(|e| e.to_string())
    })
    .await?
    .map_err(Failure::Refused)?;
    let total = i64::try_from(export.total).unwrap_or(i64::MAX);
    progress.total.store(total, Ordering::Relaxed);

    let project = ProjectId(job.project_id);
    let last = within(REQUEST, store::last(pool, &job.source_id, project)).await?;
    let mark = last.as_ref().and_then(|l| Some((Timestamp::from(l.newest_at?), l.newest_id.clone()?)));
    let activity = last.as_ref().and_then(|l| l.last_activity.map(Timestamp::from));
    let mut skipped = export.skipped.clone();
    if last.is_some() && is_older(&export, mark.as_ref(), activity) {
        skipped.add_many("action", "imported before", export.actions.len());
        skipped.add("board", "the export is older than what is imported: nothing of it is applied");
        return Ok(Finished { total, skipped: skipped.list(), base: None });
    }
    let is_new = |a: &&Action| mark.as_ref().is_none_or(|(at, id)| a.key() > (*at, id.as_str()));
    let actions: Vec<Action> = export.actions.iter().filter(is_new).cloned().collect();
    skipped.add_many("action", "imported before", export.actions.len() - actions.len());
    progress.done.store(i64::try_from(export.total - actions.len()).unwrap_or(0), Ordering::Relaxed);

    let ids = Ids { project, people: if job.own { job.user_id } else { job.project_id } };
    people::ensure(pool, &export.people, ids, job.created_at.into()).await?;
    let state = load(engine, project).await?;
    may_import(engine, &state, job).await?;
    let base: Option<Snapshot> = last.and_then(|l| l.snapshot).map(|s| s.0);
    let (own, asked_at) = (job.own, job.created_at.into());
    let planned = blocking(move || {
        let scene = Scene { ids, board: state.board(), own, base: base.as_ref(), asked_at };
        let plan = plan::make(&export, &actions, scene);
        (export, actions, base, plan)
    });
    let (export, actions, base, plan) = planned.await?;
    skipped.merge(&plan.skipped);

    let sender = Sender { engine, project, skipped: Skipped::default(), events: 0, broken: 0 };
    let mut import = Import { sender, pool, ids, job, seen: HashMap::new() };
    import.replay(&plan, progress, total).await?;
    let wanted = Wanted::new(&export, base.as_ref(), (ids, own), &plan.columns, &plan.steps, &actions);
    let replayed = import.sender.events;
    import.reconcile(&wanted, &plan, &actions).await?;
    let (events, corrections) = (import.sender.events, import.sender.events - replayed);
    skipped.merge(&import.sender.skipped);
    tracing::info!(import_id = %job.id, project_id = %project, actions = actions.len(), events, corrections, "imported a board");
    let next = Base {
        snapshot: wanted.next_base(),
        newest: export.newest_action().max(mark),
        last_activity: export.last_activity.max(activity),
    };
    Ok(Finished { total, skipped: skipped.list(), base: Some(next) })
}

/// Whether an export shows an earlier board than the one imported last: by its newest action, then by its own word of
/// when something happened last.
fn is_older(export: &Export, mark: Option<&(Timestamp, String)>, activity: Option<Timestamp>) -> bool {
    let newest = export.newest_action();
    match newest.as_ref().cmp(&mark) {
        std::cmp::Ordering::Greater => false,
        std::cmp::Ordering::Equal => export.last_activity < activity,
        // Its newest actions may be gone, with the card they were on.
        std::cmp::Ordering::Less => export.last_activity <= activity,
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "an import could not be worked out");
        Failure::Internal
    })
}

async fn load(engine: &Engine, project: ProjectId) -> Result<Arc<Project>, Failure> {
    engine.load_project(project).await.map_err(cannot_load)
}

fn cannot_load(error: CommandError) -> Failure {
    tracing::warn!(%error, "an import cannot read the log");
    Failure::Unavailable
}

/// Asked again when the work begins: the answer to the request may be long ago.
async fn may_import(engine: &Engine, project: &Project, job: &Job) -> Result<(), Failure> {
    let may = match project.board() {
        None => job.own,
        Some(board) => {
            let role = engine.role_in(board.id, UserId(job.user_id)).await.map_err(cannot_load)?;
            role.is_some_and(|role| role >= Role::Admin)
        }
    };
    if may { Ok(()) } else { Err(Failure::Refused("Importing into a project needs the role admin in it".to_owned())) }
}

struct Import<'a> {
    sender: Sender<'a>,
    pool: &'a PgPool,
    ids: Ids,
    job: &'a Job,
    /// How often each correction was sent, for its id.
    seen: HashMap<String, u32>,
}

impl Import<'_> {
    async fn replay(&mut self, plan: &Plan, progress: &Progress, total: i64) -> Result<(), Failure> {
        let before = progress.done.load(Ordering::Relaxed);
        for step in &plan.steps {
            let letter = Letter {
                kind: step.kind.clone(),
                command_id: self.ids.command(&step.key),
                actor: self.actor(step.actor.as_deref()),
                at: Some(step.at),
                what: step.what.clone(),
            };
            self.sender.send(&letter).await?;
            let done = before + i64::try_from(step.progress).unwrap_or(0);
            progress.done.store(done.min(total), Ordering::Relaxed);
        }
        Ok(())
    }

    fn actor(&self, member: Option<&str>) -> UserId {
        member.map_or(UserId(self.job.user_id), |member| self.ids.person(member))
    }

    async fn reconcile(&mut self, wanted: &Wanted<'_>, plan: &Plan, actions: &[Action]) -> Result<(), Failure> {
        let corrections = self.with_board(|board| wanted.board(board)).await?;
        self.correct(corrections).await?;
        let corrections = self.with_board(|board| wanted.column_order(board)).await?;
        self.correct(corrections).await?;
        for card in wanted.new.cards.iter().filter(|card| !wanted.is_settled(card)) {
            let task = self.sender.engine.load_task(self.ids.task(&card.id)).await.map_err(cannot_load)?;
            self.correct(wanted.card(card, &task)).await?;
        }
        for card in wanted.gone_cards(actions) {
            let task = self.sender.engine.load_task(self.ids.task(&card)).await.map_err(cannot_load)?;
            self.correct(wanted.gone_card(&card, &task).into_iter().collect()).await?;
        }
        self.reorder(wanted, plan).await?;
        let corrections = self.with_board(|board| wanted.gone_lists(board)).await?;
        self.correct(corrections).await
    }

    async fn with_board(&self, look: impl FnOnce(&Board) -> Vec<Correction>) -> Result<Vec<Correction>, Failure> {
        let project = load(self.sender.engine, self.sender.project).await?;
        Ok(project.board().map(look).unwrap_or_default())
    }

    async fn correct(&mut self, corrections: Vec<Correction>) -> Result<(), Failure> {
        for correction in corrections {
            let letter = self.letter(&correction, correction.what.clone());
            let Some(otherwise) = &correction.otherwise else {
                self.sender.send(&letter).await?;
                continue;
            };
            let counted = self.sender.skipped.clone();
            if !self.sender.send(&letter).await? {
                // The other way is the answer to the refusal, which so is nothing to tell.
                self.sender.skipped = counted;
                let letter = self.letter(&correction, What::Project(otherwise.clone()));
                self.sender.send(&letter).await?;
            }
        }
        Ok(())
    }

    fn letter(&mut self, correction: &Correction, what: What) -> Letter {
        // The same correction of the same import is the same command, also after a crash.
        let words = match &what {
            What::Project(command) => serde_json::to_string(command),
            What::Task { id, command, rank } => serde_json::to_string(&(id, command, rank)),
        };
        let key = format!("correction:{}:{}", self.job.id, words.unwrap_or_default());
        let times = self.seen.entry(key.clone()).or_default();
        *times += 1;
        Letter {
            kind: "correction".to_owned(),
            command_id: self.ids.command(&format!("{key}:{times}")),
            actor: self.actor(correction.actor.as_deref()),
            at: correction.at,
            what,
        }
    }

    /// Cards of the same position in the order of the file.
    async fn reorder(&mut self, wanted: &Wanted<'_>, plan: &Plan) -> Result<(), Failure> {
        let tasks: Vec<Uuid> = wanted.new.cards.iter().map(|c| self.ids.task(&c.id).0).collect();
        let look =
            sqlx::query_as("SELECT task_id, column_id, rank FROM task_places WHERE task_id = ANY ($1) AND state < 2")
                .bind(tasks);
        let places: Vec<(Uuid, Uuid, String)> = within(REQUEST, look.fetch_all(self.pool)).await?;
        let places: HashMap<Uuid, (Uuid, String)> = places.into_iter().map(|(t, c, r)| (t, (c, r))).collect();
        let mut columns: HashMap<Uuid, Vec<(&Card, Rank)>> = HashMap::new();
        for card in &wanted.new.cards {
            let column = plan.columns.of_cards(&card.list).map(|c| c.0);
            if let Some((here, rank)) = places.get(&self.ids.task(&card.id).0)
                && Some(*here) == column
            {
                columns.entry(*here).or_default().push((card, Rank::from_stored(rank.clone())));
            }
        }
        for cards in columns.values_mut() {
            cards.sort_by(|(a, _), (b, _)| a.pos.total_cmp(&b.pos).then(a.index.cmp(&b.index)));
            for (card, rank) in order(cards) {
                let Some(column_id) = plan.columns.of_cards(&card.list) else { continue };
                let command = TaskCommand::Move(MoveTask { column_id, after: None, before: None });
                let what = What::Task { id: self.ids.task(&card.id), command, rank: Some(rank) };
                self.correct(vec![Correction { what, actor: None, at: None, otherwise: None }]).await?;
            }
        }
        Ok(())
    }
}
