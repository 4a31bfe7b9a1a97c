//! The program `taskfold`: roles, settings, connections, supervision, and the servers it can bring along.

/// A private PostgreSQL and nats-server as children.
pub mod embedded;
