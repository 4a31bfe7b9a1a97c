//! One port's routes: the services' own, their API document with a page to read it, health and metrics.

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use taskfold_event_log::LogIdentity;
use taskfold_web::layers;
use taskfold_web::service::Service;
use tokio::sync::watch;
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_swagger_ui::SwaggerUi;

use crate::lifecycle::Parts;

/// Merges the services, and makes their background work parts of the process.
pub fn routes(
    services: Vec<Service>,
    health: Router,
    log: Option<watch::Receiver<LogIdentity>>,
    parts: &mut Parts,
) -> Router {
    let mut router = Router::new();
    let mut document: Option<OpenApi> = None;
    for service in services {
        router = router.merge(service.router);
        document = Some(match document {
            None => service.document,
            Some(earlier) => joined(earlier, service.document),
        });
        for (name, work) in service.background {
            parts.spawn(name, async move { work.await.map_err(|error| anyhow::anyhow!(error)) });
        }
    }
    let document = document.unwrap_or_else(without_an_api);
    // Whoever types the bare address is a person who looks for what is here.
    let front_door = Router::new().route("/", get(async || Redirect::to("/docs/")));
    let router = router.merge(front_door);
    // Around everything at once, so that an unknown path is the same problem whichever service lacks it.
    layers::around(router.merge(health).merge(SwaggerUi::new("/docs").url("/openapi.json", document)), log)
}

/// Both services under one address are one API to a reader.
fn joined(commands: OpenApi, reads: OpenApi) -> OpenApi {
    let mut document = commands.merge_from(reads);
    document.info.title = "Taskfold".into();
    document
}

/// Of a role that has only health and metrics.
fn without_an_api() -> OpenApi {
    let info = InfoBuilder::new().title("Taskfold").version(env!("CARGO_PKG_VERSION"));
    OpenApiBuilder::new().info(info.build()).build()
}
