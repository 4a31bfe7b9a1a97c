//! Sessions that have ended and accounts that are disabled, as of a second ago. Access tokens and tickets carry their
//! permissions themselves, so this is where they end before they expire.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use taskfold_domain::limits::{ACCESS_TOKEN_SECONDS, TICKET_SECONDS};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::caller::Means;

/// Time for which an ended session is kept: no token or stream of it lasts longer.
pub const KEEP_SECONDS: i64 = 2 * ACCESS_TOKEN_SECONDS + TICKET_SECONDS;

/// A change of what is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthorityChange {
    SessionEnded(Uuid),
    AccountDisabled(Uuid),
    AccountEnabled(Uuid),
}

/// Sessions that have ended and accounts that are disabled. Clones share them.
#[derive(Clone, Default)]
pub struct EndedAuthority(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    /// Time at which each was seen, in seconds since 1970.
    sessions: HashMap<Uuid, i64>,
    users: HashSet<Uuid>,
    /// Of open streams, by session or user.
    watchers: HashMap<Uuid, Weak<CancellationToken>>,
}

impl EndedAuthority {
    /// Applies changes, and notifies the open streams that they end. `now`: in seconds since 1970.
    pub fn apply(&self, changes: impl IntoIterator<Item = AuthorityChange>, now: i64) {
        let mut inner = self.lock();
        for change in changes {
            let ended = match change {
                AuthorityChange::SessionEnded(session) => {
                    inner.sessions.insert(session, now).is_none().then_some(session)
                }
                AuthorityChange::AccountDisabled(user) => inner.users.insert(user).then_some(user),
                AuthorityChange::AccountEnabled(user) => {
                    inner.users.remove(&user);
                    None
                }
            };
            if let Some(watcher) = ended.and_then(|id| inner.watchers.remove(&id)).and_then(|weak| weak.upgrade()) {
                watcher.cancel();
            }
        }
        inner.sessions.retain(|_, seen| *seen > now - KEEP_SECONDS);
        inner.watchers.retain(|_, watcher| watcher.strong_count() > 0);
    }

    pub(super) fn has(&self, user: Uuid, means: Means) -> bool {
        let inner = self.lock();
        let session_ended = match means {
            Means::Session(session) => inner.sessions.contains_key(&session),
            Means::ApiToken(_) | Means::Outside => false,
        };
        session_ended || inner.users.contains(&user)
    }

    /// Completes when the user's account is disabled or, if they were authenticated by a session, when that ends.
    pub(super) async fn happens(&self, user: Uuid, means: Means) {
        // Subscribed before the check, so that nothing is missed in between.
        let account = self.watch(user);
        let session = match means {
            Means::Session(session) => self.watch(session),
            Means::ApiToken(_) | Means::Outside => Arc::default(),
        };
        if !self.has(user, means) {
            tokio::select! {
                () = account.cancelled() => {}
                () = session.cancelled() => {}
            }
        }
    }

    fn watch(&self, id: Uuid) -> Arc<CancellationToken> {
        let mut inner = self.lock();
        if let Some(known) = inner.watchers.get(&id).and_then(Weak::upgrade) {
            return known;
        }
        let new = Arc::default();
        inner.watchers.insert(id, Arc::downgrade(&new));
        new
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_end_of_a_session_ends_its_streams_and_no_others() {
        let ended = EndedAuthority::default();
        let [ada, bo, first, second] = [1, 2, 3, 4].map(Uuid::from_u128);
        let mut of_first = Box::pin(ended.happens(ada, Means::Session(first)));
        let mut of_second = Box::pin(ended.happens(ada, Means::Session(second)));
        let mut of_bo = Box::pin(ended.happens(bo, Means::Outside));
        for pending in [&mut of_first, &mut of_second, &mut of_bo] {
            assert!(pending.now_or_never().is_none());
        }
        ended.apply([AuthorityChange::SessionEnded(first)], 100);
        of_first.await;
        assert!((&mut of_second).now_or_never().is_none());
        ended.apply([AuthorityChange::AccountDisabled(ada)], 101);
        of_second.await;
        assert!((&mut of_bo).now_or_never().is_none());
        assert!(ended.happens(ada, Means::Session(second)).now_or_never().is_some(), "a stream opened later");
    }

    #[test]
    fn ended_sessions_are_forgotten_and_disabled_accounts_are_not() {
        let ended = EndedAuthority::default();
        let [ada, session] = [1, 2].map(Uuid::from_u128);
        ended.apply([AuthorityChange::SessionEnded(session), AuthorityChange::AccountDisabled(ada)], 100);
        assert!(ended.has(Uuid::nil(), Means::Session(session)));
        ended.apply([], 100 + KEEP_SECONDS);
        assert!(!ended.has(Uuid::nil(), Means::Session(session)) && ended.has(ada, Means::Outside));
        ended.apply([AuthorityChange::AccountEnabled(ada)], 101 + KEEP_SECONDS);
        assert!(!ended.has(ada, Means::Outside));
    }
}
