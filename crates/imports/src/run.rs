//! The run of one import, from its upload to its end.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::PgPool;
use taskfold_commands::{CommandError, Engine};
use taskfold_domain::ids::{ColumnId, ProjectId, TaskId, UserId};
use taskfold_domain::project::Board;
use taskfold_domain::{Project, Rank, Role, Timestamp};
use taskfold_event_log::deadline::{REQUEST, within};
use uuid::Uuid;

use crate::command::{Correction, ImportCommand};
use crate::people;
use crate::send::{CommandSender, Failure, OutgoingCommand};
use crate::skipped::Skipped;
use crate::source::{Format, IdScope, ImportContext, PlannedImport, Watermark};
use crate::store::{self, FinishedImport, ImportBase, Job, LastImport};

/// Progress of an import, which the heartbeat stores.
#[derive(Debug, Default)]
pub struct Progress {
    pub total: AtomicI64,
    pub done: AtomicI64,
}

/// Imports a board: first the history as commands, then the differences to the board in the export. Every command has
/// the same id each time, so that running an import again, after a crash or for a newer export, does nothing twice.
pub async fn run(
    engine: &Engine,
    pool: &PgPool,
    job: &mut Job,
    progress: &Progress,
) -> Result<FinishedImport, Failure> {
    let format = Format::from_name(&job.format).ok_or_else(|| internal(&"the format of an import is unknown"))?;
    let document = std::mem::take(&mut job.document);
    let export = blocking(move || format.source().parse(&document)).await?;
    let export = export.map_err(|error| Failure::Refused(error.to_string()))?;
    let total = to_i64(export.total_actions());
    progress.total.store(total, Ordering::Relaxed);

    let project = ProjectId(job.project_id);
    let last = within(REQUEST, store::last(pool, format, &job.source_id, project)).await?;
    let watermark = export.watermark();
    if last.as_ref().is_some_and(|last| watermark.is_older_than(&last.watermark)) {
        let mut skipped = export.skipped().clone();
        skipped.add_many("action", "imported before", export.total_actions());
        skipped.add("board", "the export is older than the last one that was imported, so nothing of it is applied");
        return Ok(FinishedImport { total, skipped: skipped.list(), base: None });
    }

    let scope = IdScope { project, people: if job.own { job.user_id } else { job.project_id } };
    people::ensure(pool, &export.people(scope), format, job.created_at.into()).await?;
    let state = load(engine, project).await?;
    require_admin(engine, &state, job).await?;
    let (own, requested_at) = (job.own, Timestamp::from(job.created_at));
    let planned = blocking(move || {
        let context = ImportContext {
            scope,
            board: state.board(),
            own,
            base: last.as_ref().map(|last| &*last.snapshot),
            imported_up_to: last.as_ref().and_then(|last| last.watermark.newest_action.as_ref()),
            requested_at,
        };
        let planned = export.plan(context);
        (planned, last)
    });
    let (planned, last) = planned.await?;
    let planned = planned.map_err(|error| internal(&error))?;
    progress.done.store(total - to_i64(planned.new_actions()), Ordering::Relaxed);

    let sender = CommandSender { engine, project, skipped: Skipped::default(), events: 0, broken: 0 };
    let mut import = Import { sender, pool, planned: &*planned, job, sent: HashMap::new() };
    import.replay(progress, total).await?;
    let replayed = import.sender.events;
    import.reconcile().await?;
    let (events, corrections) = (import.sender.events, import.sender.events - replayed);
    let mut skipped = planned.skipped().clone();
    skipped.merge(&import.sender.skipped);
    let actions = planned.new_actions();
    tracing::info!(import_id = %job.id, project_id = %project, actions, events, corrections, "imported a board");
    let base = ImportBase {
        snapshot: planned.snapshot().map_err(|error| internal(&error))?,
        watermark: watermark.max(last.map_or_else(Watermark::default, |last: LastImport| last.watermark)),
    };
    Ok(FinishedImport { total, skipped: skipped.list(), base: Some(base) })
}

fn to_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn internal(cause: &dyn std::fmt::Display) -> Failure {
    tracing::error!(%cause, "an import failed unexpectedly");
    Failure::Internal
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| internal(&error))
}

async fn load(engine: &Engine, project: ProjectId) -> Result<Arc<Project>, Failure> {
    engine.load_project(project).await.map_err(cannot_load)
}

fn cannot_load(error: CommandError) -> Failure {
    tracing::warn!(%error, "an import cannot read the log");
    Failure::Unavailable
}

/// Checks the role again when the import starts, which may be long after its request.
async fn require_admin(engine: &Engine, project: &Project, job: &Job) -> Result<(), Failure> {
    let allowed = match project.board() {
        None => job.own,
        Some(board) => {
            let role = engine.role_in(board.id, UserId(job.user_id)).await.map_err(cannot_load)?;
            role.is_some_and(|role| role >= Role::Admin)
        }
    };
    if allowed {
        Ok(())
    } else {
        Err(Failure::Refused("Importing into a project needs the role admin in it".to_owned()))
    }
}

struct Import<'a> {
    sender: CommandSender<'a>,
    pool: &'a PgPool,
    planned: &'a dyn PlannedImport,
    job: &'a Job,
    /// Number of times that each correction was sent, for its command id.
    sent: HashMap<String, u32>,
}

impl Import<'_> {
    async fn replay(&mut self, progress: &Progress, total: i64) -> Result<(), Failure> {
        let before = progress.done.load(Ordering::Relaxed);
        for step in self.planned.steps() {
            let outgoing = OutgoingCommand {
                kind: step.kind.clone(),
                command_id: step.command_id,
                actor: step.actor.unwrap_or(UserId(self.job.user_id)),
                at: Some(step.at),
                command: step.command.clone(),
            };
            self.sender.send(&outgoing).await?;
            progress.done.store((before + to_i64(step.progress)).min(total), Ordering::Relaxed);
        }
        Ok(())
    }

    async fn reconcile(&mut self) -> Result<(), Failure> {
        let planned = self.planned;
        let corrections = self.with_board(|board| planned.board_corrections(board)).await?;
        self.correct(corrections).await?;
        let corrections = self.with_board(|board| planned.column_order_corrections(board)).await?;
        self.correct(corrections).await?;
        for id in planned.tasks_to_compare() {
            let task = self.sender.engine.load_task(id).await.map_err(cannot_load)?;
            self.correct(planned.task_corrections(id, &task)).await?;
        }
        let placements = self.placements(&planned.tasks_to_order()).await?;
        self.correct(planned.rank_corrections(&placements)).await?;
        let corrections = self.with_board(|board| planned.removed_list_corrections(board)).await?;
        self.correct(corrections).await
    }

    async fn with_board(&self, compare: impl FnOnce(&Board) -> Vec<Correction>) -> Result<Vec<Correction>, Failure> {
        let project = load(self.sender.engine, self.sender.project).await?;
        Ok(project.board().map(compare).unwrap_or_default())
    }

    /// Column and rank of the tasks that exist and are not deleted.
    async fn placements(&self, tasks: &[TaskId]) -> Result<HashMap<TaskId, (ColumnId, Rank)>, Failure> {
        let ids: Vec<Uuid> = tasks.iter().map(|task| task.0).collect();
        let select = sqlx::query!(
            "SELECT task_id, column_id, rank FROM task_places WHERE task_id = ANY ($1) AND state < 2",
            &ids,
        );
        let rows = within(REQUEST, select.fetch_all(self.pool)).await?;
        let placements = rows.into_iter().map(|row| {
            let placement = (ColumnId(row.column_id), Rank::from_stored(row.rank));
            (TaskId(row.task_id), placement)
        });
        Ok(placements.collect())
    }

    async fn correct(&mut self, corrections: Vec<Correction>) -> Result<(), Failure> {
        for correction in corrections {
            let outgoing = self.outgoing(&correction, correction.command.clone());
            let Some(fallback) = &correction.fallback else {
                self.sender.send(&outgoing).await?;
                continue;
            };
            let skipped = self.sender.skipped.clone();
            if !self.sender.send(&outgoing).await? {
                // A refusal that has a fallback is not reported.
                self.sender.skipped = skipped;
                let outgoing = self.outgoing(&correction, ImportCommand::Project(fallback.clone()));
                self.sender.send(&outgoing).await?;
            }
        }
        Ok(())
    }

    fn outgoing(&mut self, correction: &Correction, command: ImportCommand) -> OutgoingCommand {
        // The same correction of the same import is the same command, also after a crash.
        let json = match &command {
            ImportCommand::Project(command) => serde_json::to_string(command),
            ImportCommand::Task { id, command, rank } => serde_json::to_string(&(id, command, rank)),
        };
        let key = format!("correction:{}:{}", self.job.id, json.unwrap_or_default());
        let times = self.sent.entry(key.clone()).or_default();
        *times += 1;
        OutgoingCommand {
            kind: "correction".to_owned(),
            command_id: self.planned.command_id(&format!("{key}:{times}")),
            actor: correction.actor.unwrap_or(UserId(self.job.user_id)),
            at: correction.at,
            command,
        }
    }
}
