//! How many connections each address has.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Clone)]
pub(super) struct Addresses {
    connections: Arc<Mutex<HashMap<IpAddr, usize>>>,
    most: usize,
}

impl Addresses {
    pub(super) fn new(most: usize) -> Self {
        Self { connections: Arc::default(), most }
    }

    /// One more from this address, until what is returned is dropped. `None` when it has as many as it may.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Entered> {
        // The same machine, whether it speaks IPv4 through an IPv6 socket or not.
        let address = address.to_canonical();
        let mut connections = self.lock();
        let count = connections.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Entered { addresses: self.clone(), address })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Entered {
    addresses: Addresses,
    address: IpAddr,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut connections = self.addresses.lock();
        if let Some(count) = connections.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                connections.remove(&self.address);
            }
        }
    }
}
