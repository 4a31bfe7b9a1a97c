//! Limit of the connections from each address; of IPv6, from each network of 64 bits.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use taskfold_web::client::client_network;

/// Connections by address.
#[derive(Clone)]
pub(super) struct Addresses {
    connections: Arc<Mutex<HashMap<IpAddr, usize>>>,
    max: usize,
}

impl Addresses {
    pub(super) fn new(max: usize) -> Self {
        Self { connections: Arc::default(), max }
    }

    /// Counts a connection until the slot is dropped. `None` if the address has too many.
    pub(super) fn acquire(&self, address: IpAddr) -> Option<AddressSlot> {
        let address = client_network(address);
        let mut connections = self.lock();
        let count = connections.entry(address).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(AddressSlot { addresses: self.clone(), address })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A counted connection of an address.
pub(super) struct AddressSlot {
    addresses: Addresses,
    address: IpAddr,
}

impl Drop for AddressSlot {
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
