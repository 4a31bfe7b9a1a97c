//! Slots of uploads in progress: for all, and for each user, so that nobody takes all of them.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use taskfold_domain::ids::UserId;

use super::UploadError;

/// Uploads in progress.
pub(super) struct Slots {
    taken: Mutex<Taken>,
    max: u32,
    max_per_user: u32,
}

#[derive(Default)]
struct Taken {
    total: u32,
    /// Users with at least one.
    by_user: HashMap<UserId, u32>,
}

impl Slots {
    pub(super) fn new(max: NonZeroU32, max_per_user: NonZeroU32) -> Arc<Self> {
        Arc::new(Self { taken: Mutex::default(), max: max.get(), max_per_user: max_per_user.get() })
    }

    pub(super) fn take(self: &Arc<Self>, user: UserId) -> Result<UploadSlot, UploadError> {
        let mut taken = self.lock();
        let of_user = taken.by_user.get(&user).copied().unwrap_or_default();
        // The user can do something about this one.
        if of_user >= self.max_per_user {
            return Err(UploadError::TooManyOfUser { max: self.max_per_user });
        }
        if taken.total >= self.max {
            return Err(UploadError::TooManyAtOnce);
        }
        taken.total += 1;
        taken.by_user.insert(user, of_user + 1);
        drop(taken);
        Ok(UploadSlot { slots: Arc::clone(self), user })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Slot of one upload, until it is dropped.
pub struct UploadSlot {
    slots: Arc<Slots>,
    user: UserId,
}

impl Drop for UploadSlot {
    fn drop(&mut self) {
        let mut taken = self.slots.lock();
        taken.total -= 1;
        if let Some(of_user) = taken.by_user.get_mut(&self.user) {
            *of_user -= 1;
            if *of_user == 0 {
                taken.by_user.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn nobody_takes_all_slots() {
        let number = |n| NonZeroU32::new(n).expect("not zero");
        let slots = Slots::new(number(3), number(2));
        let [ada, bea] = [1, 2].map(|n| UserId(Uuid::from_u128(n)));
        let (first, _second) = (slots.take(ada).expect("free"), slots.take(ada).expect("free"));
        assert!(matches!(slots.take(ada), Err(UploadError::TooManyOfUser { max: 2 })));
        let _third = slots.take(bea).expect("free");
        assert!(matches!(slots.take(bea), Err(UploadError::TooManyAtOnce)));
        drop(first);
        drop(slots.take(bea).expect("free again"));
        assert_eq!(slots.lock().by_user.get(&bea), Some(&1));
    }
}
