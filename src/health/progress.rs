use std::time::Duration;

use sqlx::PgPool;
use taskfold_event_log::Writes;
use taskfold_projector::stream::{self, Label};

use super::dependency::answered;
use super::{Dependency, Service};

/// Limit for the age of an event that is not projected or published: above it, work is stuck, or there is a backlog that callers notice.
const WAITS_TOO_LONG: Duration = Duration::from_secs(10);

impl Dependency {
    /// Whether the log takes commands. `writes` are those of the append.
    pub fn log(pool: PgPool, writes: Writes) -> Self {
        let check = Self::new("log", move || {
            let (pool, hindrance) = (pool.clone(), writes.hindrance());
            Box::pin(async move {
                let look = sqlx::query_as(
                    "SELECT position, suspended, pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool \
                     FROM log_head",
                );
                let (head, suspended, read_only): (i64, Option<String>, bool) =
                    answered("the log", look.fetch_one(&pool).await)?;
                match (suspended, hindrance) {
                    (Some(why), _) => Err(format!("at {head}, and takes no commands until it is adopted: {why}")),
                    (None, _) if read_only => Err(format!("at {head}, in a database that is read-only")),
                    (None, Some(why)) => Err(format!("at {head}, and the last commands could not be appended: {why}")),
                    (None, None) => Ok(format!("at {head}")),
                }
            })
        });
        check.required_by(&[Service::Commands])
    }

    /// How far the read tables are. `dead_letters` where the role may see them; `writes`
    /// are those of its projector, if it has one.
    pub fn projection(pool: PgPool, dead_letters: bool, writes: Writes) -> Self {
        let check = Self::new("projection", move || {
            let (pool, hindrance) = (pool.clone(), writes.hindrance());
            Box::pin(async move {
                let look = async {
                    let head = taskfold_event_log::head(&pool).await?;
                    let projected = taskfold_event_log::projected_position(&pool).await?;
                    let waits = waits(&pool, projected, head).await?;
                    let letters = match dead_letters {
                        true => taskfold_projector::dead_letters::summary(&pool).await?,
                        false => (0, None),
                    };
                    Ok::<_, sqlx::Error>((projected, head, waits, letters))
                };
                let (projected, head, waits, letters) = answered("the projection", look.await)?;
                let at = match hindrance {
                    Some(why) => Err(format!("at {projected} of {head}, and goes no further: {why}")),
                    None => in_time(format!("at {projected} of {head}"), waits),
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

    /// How far the stream is, and whether it is this log's.
    pub fn publication(pool: PgPool, nats: async_nats::Client, name: String) -> Self {
        let check = Self::new("publication", move || {
            let (pool, context, name) = (pool.clone(), stream::context(&nats), name.clone());
            Box::pin(async move {
                let Some(found) = answered("the stream", stream::find(&context, &name).await)? else {
                    return Err(format!("the stream {name} is missing"));
                };
                let last = answered("the stream", stream::last_sequence(&found).await)?;
                let look = async {
                    let log = taskfold_event_log::identity(&pool).await?;
                    let projected = taskfold_event_log::projected_position(&pool).await?;
                    Ok::<_, sqlx::Error>((log, projected, waits(&pool, last, projected).await?))
                };
                let (log, projected, waits) = answered("the publication", look.await)?;
                let at = format!("at {last} of {projected}");
                match stream::label(&found, &log) {
                    Label::Another => Err(format!("the stream {name} is of another log")),
                    Label::Ours | Label::Missing if last > projected => {
                        Err(format!("{at}: the stream has what the log lacks"))
                    }
                    Label::Ours | Label::Missing => in_time(at, waits),
                }
            })
        });
        check.degrades(&[Service::Reads])
    }

    /// Whether any projector leads.
    pub fn lease(pool: PgPool) -> Self {
        let check = Self::new("lease", move || {
            let pool = pool.clone();
            Box::pin(async move {
                let look = "SELECT EXISTS (SELECT FROM projector_lease WHERE expires_at > clock_timestamp())";
                match answered("the lease", sqlx::query_scalar(look).fetch_one(&pool).await)? {
                    true => Ok("a projector leads".to_owned()),
                    false => Err("no projector leads".to_owned()),
                }
            })
        });
        check.degrades(&[Service::Reads])
    }
}

/// Age of the first event behind `done`, when there is one up to `upto`.
async fn waits(pool: &PgPool, done: i64, upto: i64) -> sqlx::Result<Option<Duration>> {
    if done >= upto {
        return Ok(None);
    }
    let seconds: Option<f64> = sqlx::query_scalar(
        "SELECT extract(epoch FROM clock_timestamp() - recorded_at)::float8 FROM events WHERE position = $1",
    )
    .bind(done + 1)
    .fetch_optional(pool)
    .await?;
    Ok(seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok()))
}

fn in_time(at: String, waits: Option<Duration>) -> Result<String, String> {
    match waits {
        None => Ok(at),
        Some(age) => {
            let at = format!("{at}, the oldest event waits for {:.1} s", age.as_secs_f64());
            if age > WAITS_TOO_LONG { Err(at) } else { Ok(at) }
        }
    }
}
