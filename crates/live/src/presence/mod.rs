//! Presence: which devices have a project open, and which task each of them shows.
//!
//! Devices send heartbeats into a key-value bucket of NATS. Every instance watches the whole bucket, expires devices by
//! the clock of NATS, and sends the changes of a project to its streams. None of it is in the log.

/// Keys and values of the NATS bucket.
mod bucket;
/// Frames of presence changes.
mod frames;
/// Clock of NATS.
mod nats_clock;
/// Presence of this instance: reads, heartbeats and departures.
mod service;
/// Presence as a value, without I/O.
mod state;
/// Expiry, membership checks and frames.
mod upkeep;
/// Watch of the bucket.
mod watch;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::hub::Hub;

pub use self::frames::{PresenceFrame, stale};
pub use self::service::{Presence, PresenceUnavailable};
pub use self::state::DeviceKey;

impl Presence {
    /// Watches the bucket and sends changes to the streams of the hub, until `shutdown`.
    pub async fn run(self: Arc<Self>, hub: Arc<Hub>, shutdown: CancellationToken) {
        let revocations = hub.revocations();
        let tasks = async { tokio::join!(watch::run(&self, &hub), upkeep::run(&self, &hub, revocations)) };
        shutdown.run_until_cancelled(tasks).await;
    }
}
