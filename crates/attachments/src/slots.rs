//! Slots of files that are being received: for all, and for each user, so that nobody takes all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use taskfold_domain::ids::UserId;

/// Slots, some of which are taken.
pub struct Slots {
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

/// Reason for which no slot is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSlot {
    OfAll,
    OfUser { max: u32 },
}

impl Slots {
    pub fn new(max: u32, max_per_user: u32) -> Arc<Self> {
        Arc::new(Self { taken: Mutex::default(), max, max_per_user })
    }

    /// Takes a slot, until it is dropped.
    pub fn take(self: &Arc<Self>, user: UserId) -> Result<Slot, NoSlot> {
        let mut taken = self.lock();
        let of_user = taken.by_user.get(&user).copied().unwrap_or_default();
        // The user can do something about this one.
        if of_user >= self.max_per_user {
            return Err(NoSlot::OfUser { max: self.max_per_user });
        }
        if taken.total >= self.max {
            return Err(NoSlot::OfAll);
        }
        taken.total += 1;
        taken.by_user.insert(user, of_user + 1);
        drop(taken);
        Ok(Slot { slots: Arc::clone(self), user })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A taken slot.
pub struct Slot {
    slots: Arc<Slots>,
    user: UserId,
}

impl Drop for Slot {
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
        let slots = Slots::new(3, 2);
        let [ada, bea] = [1, 2].map(|n| UserId(Uuid::from_u128(n)));
        let (first, _second) = (slots.take(ada).expect("free"), slots.take(ada).expect("free"));
        assert!(matches!(slots.take(ada), Err(NoSlot::OfUser { max: 2 })));
        let _third = slots.take(bea).expect("free");
        assert!(matches!(slots.take(bea), Err(NoSlot::OfAll)));
        drop(first);
        drop(slots.take(bea).expect("free again"));
        assert_eq!(slots.lock().by_user.get(&bea), Some(&1));
    }
}
