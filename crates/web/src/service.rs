use futures::future::BoxFuture;

/// Why a background task ended.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A part of the service that runs until shutdown; one that ends earlier ends the program.
pub type Background = (&'static str, BoxFuture<'static, Result<(), BoxError>>);

/// What a service hands to the program: its routes, their document, and what runs beside them.
pub struct Service {
    /// Without fallbacks and layers: the program puts those around all it serves on one port.
    pub router: axum::Router,
    pub document: utoipa::openapi::OpenApi,
    pub background: Vec<Background>,
}
