//! Checks of the servers that the program depends on.

use sqlx::PgPool;
use taskfold_attachments::Store;
use taskfold_embedded::{ServerState, ServerStatus};
use tokio::sync::watch;

use super::dependency::answered;
use super::{Dependency, Service};

const ALL: &[Service] = &[Service::Commands, Service::Reads];

impl Dependency {
    pub fn postgres(pool: PgPool) -> Self {
        let check = Self::new("postgres", move || {
            let pool = pool.clone();
            Box::pin(async move {
                answered("postgres", sqlx::query!(r#"SELECT 1 AS "one!""#).fetch_one(&pool).await)?;
                Ok("answers".to_owned())
            })
        });
        check.required_by(ALL)
    }

    pub fn nats(client: async_nats::Client) -> Self {
        let check = Self::new("nats", move || {
            let state = client.connection_state();
            Box::pin(async move {
                match state {
                    async_nats::connection::State::Connected => Ok("connected".to_owned()),
                    async_nats::connection::State::Pending | async_nats::connection::State::Disconnected => {
                        Err("not connected, trying again".to_owned())
                    }
                }
            })
        });
        check.degrades(&[Service::Reads])
    }

    /// Store of the attachments' bytes. Everything else is available without it.
    pub fn attachments(store: Store) -> Self {
        let check = Self::new("attachments", move || {
            let store = store.clone();
            Box::pin(async move {
                answered("the store of attachments", store.answers().await)?;
                if !store.takes_writes() {
                    return Err("answers, but failed to store the last object".to_owned());
                }
                Ok("answers".to_owned())
            })
        });
        check.degrades(ALL)
    }

    /// State of an embedded server, from its supervisor.
    pub fn embedded(status: watch::Receiver<ServerStatus>) -> Self {
        let name = status.borrow().name;
        let check = Self::new(format!("embedded-{name}"), move || {
            let ServerStatus { state, restarts, .. } = status.borrow().clone();
            Box::pin(async move {
                let detail = format!("{state}, restarted {restarts} times");
                if state == ServerState::Up { Ok(detail) } else { Err(detail) }
            })
        });
        if name == "postgres" { check.required_by(ALL) } else { check.degrades(&[Service::Reads]) }
    }
}
