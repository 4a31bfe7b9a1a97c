//! People and times of removals: what a command that names something removed is refused with.

use sqlx::PgPool;
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_domain::project;
use taskfold_domain::reference::Removal;
use taskfold_domain::{Refusal, Timestamp};

use super::envelope::CommandError;

/// Completes the refusal of a reference to what is gone with who removed it, and when, by the log.
pub async fn complete(pool: &PgPool, project: ProjectId, refusal: Refusal) -> CommandError {
    let Refusal::ReferenceGone(mut gone) = refusal else { return refusal.into() };
    if let Removal::AtVersion(version) = gone.removal {
        let version = i64::try_from(version).unwrap_or(i64::MAX);
        let id = project.to_string();
        match taskfold_event_log::aggregate_event(pool, project::TYPE, &id, version).await {
            Ok(Some(event)) => {
                gone.removal = Removal::By(UserId(event.actor_id), Timestamp::from(event.recorded_at));
            }
            Ok(None) => {}
            Err(error) => return error.into(),
        }
    }
    Refusal::ReferenceGone(gone).into()
}
