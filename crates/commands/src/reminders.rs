//! Reminders of due times. The append writes the schedule together with the events, so that no crash loses a reminder;
//! and a reminder is an event decided on the task like any other, so that two processes do not send it twice.

use std::time::Duration;

use futures::StreamExt;
use taskfold_domain::TaskCommand;
use taskfold_domain::ids::{ColumnId, ProjectId, TaskId, UserId};
use taskfold_domain::task::DueStage;
use taskfold_domain::task::commands::Remind;
use taskfold_domain::task::side_tables::suspended_reminder;
use taskfold_domain::task::{Origin, Situation};
use taskfold_event_log::Worker;
use taskfold_event_log::deadline::{REQUEST, within};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{CommandError, Engine, Envelope};

/// Interval between two looks at the schedule: the delay of a reminder.
const EVERY: Duration = Duration::from_secs(1);
/// Entries of the schedule per page.
const BATCH: i64 = 500;
const AT_ONCE: usize = 32;
/// Interval between two looks for suspended reminders of what was restored.
const RESUME_EVERY: Duration = Duration::from_secs(5);

/// Sends reminders as they come due, until `shutdown`.
pub async fn work(engine: Engine, shutdown: CancellationToken) {
    let mut resumed = Instant::now();
    while !shutdown.is_cancelled() {
        let resumes = resumed.elapsed() >= RESUME_EVERY;
        let sent = async {
            if resumes {
                resume(&engine).await?;
            }
            step(&engine).await
        };
        if resumes {
            resumed = Instant::now();
        }
        let sent = match sent.await {
            Ok(sent) => {
                Worker::Reminders.succeeded();
                sent
            }
            Err(error) => {
                tracing::debug!(%error, "reminders wait for the log");
                0
            }
        };
        // There may be more where there was something.
        if sent == 0 {
            shutdown.run_until_cancelled(tokio::time::sleep(EVERY)).await;
        }
    }
}

/// Sends the reminders that are due. Returns the number of entries that it settled.
pub async fn step(engine: &Engine) -> Result<usize, CommandError> {
    let now = engine.clock.now().utc();
    let mut settled = 0;
    let mut after = ("-infinity".to_owned(), Uuid::nil());
    loop {
        // Behind the page before: a task whose reminder fails each time keeps no others from theirs.
        let look = sqlx::query!(
            r#"
            SELECT at::text AS "at!", task_id FROM due_schedule
            WHERE at <= $1 AND (at, task_id) > ($2::text::timestamptz, $3)
            ORDER BY at, task_id LIMIT $4
            "#,
            now,
            after.0,
            after.1,
            BATCH,
        );
        let due = within(REQUEST, look.fetch_all(&engine.pool)).await?;
        let Some(last) = due.last() else { return Ok(settled) };
        after = (last.at.clone(), last.task_id);
        settled += remind_each(engine, due.into_iter().map(|due| due.task_id).collect()).await;
    }
}

/// Resumes the suspended reminders of projects and columns that were restored.
pub async fn resume(engine: &Engine) -> Result<(), CommandError> {
    let look = sqlx::query!(
        r#"
        SELECT DISTINCT p.project_id, p.column_id FROM due_schedule s JOIN task_places p ON p.task_id = s.task_id
        WHERE s.at = $1
        "#,
        suspended_reminder().utc(),
    );
    for column in within(REQUEST, look.fetch_all(&engine.pool)).await? {
        let project = engine.load_project(ProjectId(column.project_id)).await?;
        if project.board().is_none_or(|board| board.fields.hides(ColumnId(column.column_id))) {
            continue;
        }
        let look = sqlx::query_scalar!(
            r#"
            SELECT s.task_id FROM due_schedule s JOIN task_places p ON p.task_id = s.task_id
            WHERE s.at = $1 AND p.project_id = $2 AND p.column_id = $3
            "#,
            suspended_reminder().utc(),
            column.project_id,
            column.column_id,
        );
        let tasks = within(REQUEST, look.fetch_all(&engine.pool)).await?;
        remind_each(engine, tasks).await;
    }
    Ok(())
}

/// Sends the next reminders of the tasks. Returns the number of entries that it settled.
async fn remind_each(engine: &Engine, tasks: Vec<Uuid>) -> usize {
    futures::stream::iter(tasks)
        .map(|task| async move {
            match within(REQUEST, remind(engine, TaskId(task))).await {
                Ok(settled) => usize::from(settled),
                Err(error) => {
                    tracing::warn!(%error, task_id = %task, "a reminder could not be sent, trying again");
                    0
                }
            }
        })
        .buffer_unordered(AT_ONCE)
        .fold(0, |sum, sent| async move { sum + sent })
        .await
}

/// Returns `true` if the entry is settled.
async fn remind(engine: &Engine, id: TaskId) -> Result<bool, CommandError> {
    let task = engine.load_task(id).await?;
    let Situation::Present(card) = &task.situation else { return Ok(false) };
    // With nothing to say any more, the command is decided to nothing, and takes the entry along.
    let nothing = Remind { due_at: engine.clock.now(), stage: DueStage::Overdue };
    let remind = card.fields.next_reminder().map_or(nothing, |(_, remind)| remind);
    let envelope = Envelope {
        // So that it is appended also when it says nothing.
        may_be_replayed: true,
        origin: Origin::Clock,
        traceparent: Some(engine.clock.new_traceparent()),
        ..Envelope::new(UserId(Uuid::nil()), engine.clock.new_id())
    };
    engine.task(id, TaskCommand::Remind(remind), envelope).await.map(|_| true)
}
