//! The parts of a service that the program runs.

use futures::future::BoxFuture;

/// The error with which a background task ended.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A background task: its name, and the task, which runs until shutdown. If it ends earlier, the program ends.
pub type Background = (&'static str, BoxFuture<'static, Result<(), BoxError>>);

/// A service: its routes, their document, and its background tasks.
pub struct Service {
    /// Without fallbacks and layers, which the program adds for all services of a port.
    pub router: axum::Router,
    pub document: utoipa::openapi::OpenApi,
    pub background: Vec<Background>,
}
