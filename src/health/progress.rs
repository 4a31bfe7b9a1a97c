//! Progress of the log, the read tables and the stream.

use std::time::Duration;

use sqlx::PgPool;
use taskfold_event_log::Writes;
use taskfold_projector::stream::{self, Label};
use taskfold_projector::{ProjectorError, check_last_message};

use super::dependency::{Failure, answered};
use super::{Dependency, Service};

/// Maximum age of an event that is not projected or published. Above it, work is stuck, or there is a backlog that
/// clients notice.
const MAX_EVENT_AGE: Duration = Duration::from_secs(10);

impl Dependency {
    /// Readiness of the log for commands. `writes` are those of the append.
    pub fn log(pool: PgPool, writes: Writes) -> Self {
        let check = Self::new("log", move || {
            let (pool, failure) = (pool.clone(), writes.failure());
            Box::pin(async move {
                let reading = sqlx::query!(
                    r#"
                    SELECT position, suspended,
                           pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool AS "read_only!"
                    FROM log_head
                    "#
                );
                let log = answered("the log", reading.fetch_one(&pool).await)?;
                let head = log.position;
                match (log.suspended, failure) {
                    (Some(why), _) => Err(format!("at {head}, takes no commands until it is adopted: {why}")),
                    (None, _) if log.read_only => Err(format!("at {head}, the database is read-only")),
                    (None, Some(why)) => Err(format!("at {head}, the last commands could not be appended: {why}")),
                    (None, None) => Ok(format!("at {head}")),
                }
            })
        });
        check.required_by(&[Service::Commands])
    }

    /// Progress of the read tables. `dead_letters` includes dead letters, if the role may read them; `writes` are those
    /// of its projector, if it has one.
    pub fn projection(pool: PgPool, dead_letters: bool, writes: Writes) -> Self {
        let check = Self::new("projection", move || {
            let (pool, failure) = (pool.clone(), writes.failure());
            Box::pin(async move {
                let reading = async {
                    let head = taskfold_event_log::head(&pool).await?;
                    let projected = taskfold_event_log::projected_position(&pool).await?;
                    let age = age(&pool, projected, head).await?;
                    let letters = match dead_letters {
                        true => taskfold_projector::dead_letters::summary(&pool).await?,
                        false => (0, None),
                    };
                    Ok::<_, sqlx::Error>((projected, head, age, letters))
                };
                let (projected, head, age, letters) = answered("the projection", reading.await)?;
                let at = match failure {
                    Some(why) => Err(format!("at {projected} of {head}, makes no progress: {why}")),
                    None => in_time(format!("at {projected} of {head}"), age),
                };
                match (at, letters) {
                    (at, (0, _)) => at,
                    (Ok(at) | Err(at), (count, first)) => {
                        Err(format!("{at}, {count} dead letters, the first at {}", first.unwrap_or_default()))
                    }
                }
            })
        });
        check.degrades(&[Service::Reads])
    }

    /// Progress of the stream, which must be of this log.
    pub fn publication(pool: PgPool, nats: async_nats::Client, name: String) -> Self {
        let check = Self::with_failures("publication", move || {
            let (pool, context, name) = (pool.clone(), stream::context(&nats), name.clone());
            Box::pin(async move {
                let Some(found) = answered("the stream", stream::find(&context, &name).await)? else {
                    return Err(format!("the stream {name} is missing").into());
                };
                let last = answered("the stream", stream::last_sequence(&found).await)?;
                let reading = async {
                    let log = taskfold_event_log::identity(&pool).await?;
                    let projected = taskfold_event_log::projected_position(&pool).await?;
                    Ok::<_, sqlx::Error>((log, projected, age(&pool, last, projected).await?))
                };
                let (log, projected, age) = answered("the publication", reading.await)?;
                let at = format!("at {last} of {projected}");
                if stream::label(&found, &log) == Label::Another {
                    return Err(format!("the stream {name} belongs to another log").into());
                }
                match check_last_message(&pool, &found, &name, log, last).await {
                    Err(error @ ProjectorError::ForeignMessage { .. }) => {
                        Err(Failure::Broken(format!("{at}: {error}")))
                    }
                    compared => {
                        answered("the last message of the stream", compared)?;
                        Ok(in_time(at, age)?)
                    }
                }
            })
        });
        check.degrades(&[Service::Reads])
    }

    /// Existence of an active projector.
    pub fn lease(pool: PgPool) -> Self {
        let check = Self::new("lease", move || {
            let pool = pool.clone();
            Box::pin(async move {
                let leads = sqlx::query_scalar!(
                    r#"
                    SELECT EXISTS (SELECT FROM projector_lease WHERE expires_at > clock_timestamp()) AS "leads!"
                    "#
                );
                match answered("the lease", leads.fetch_one(&pool).await)? {
                    true => Ok("a projector is active".to_owned()),
                    false => Err("no projector is active".to_owned()),
                }
            })
        });
        check.degrades(&[Service::Reads])
    }
}

/// Age of the first event after `done`, if there is one up to `upto`.
async fn age(pool: &PgPool, done: i64, upto: i64) -> sqlx::Result<Option<Duration>> {
    if done >= upto {
        return Ok(None);
    }
    let seconds = sqlx::query_scalar!(
        r#"
        SELECT extract(epoch FROM clock_timestamp() - recorded_at)::float8 AS "age!" FROM events WHERE position = $1
        "#,
        done + 1,
    )
    .fetch_optional(pool)
    .await?;
    Ok(seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok()))
}

fn in_time(at: String, age: Option<Duration>) -> Result<String, String> {
    match age {
        None => Ok(at),
        Some(age) => {
            let at = format!("{at}, the oldest event has waited for {:.1} s", age.as_secs_f64());
            if age > MAX_EVENT_AGE { Err(at) } else { Ok(at) }
        }
    }
}
