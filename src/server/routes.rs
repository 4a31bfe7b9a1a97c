//! Routes of one port: those of the services, their API document with a page to read it, health and metrics.

use axum::response::Redirect;
use axum::routing::get;
use axum::{Json, Router};
use taskfold_event_log::{Clock, LogIdentity};
use taskfold_web::layers;
use taskfold_web::service::Service;
use tokio::sync::watch;
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::lifecycle::Components;

/// Path of the API document.
const DOCUMENT: &str = "/openapi.json";

/// Merges the services, and adds their background work to the components of the process.
pub fn routes(
    services: Vec<Service>,
    health: Router,
    log: Option<watch::Receiver<LogIdentity>>,
    clock: Clock,
    components: &mut Components,
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
            components.spawn(name, async move { work.await.map_err(|error| anyhow::anyhow!(error)) });
        }
    }
    let document = Json(document.unwrap_or_else(without_an_api));
    // For tools on other origins, as the API itself.
    let router = router.route(DOCUMENT, get(async move || document));
    // The bare address is opened by people who look for the documentation.
    let root = Router::new().route("/", get(async || Redirect::to("/docs/")));
    let page = SwaggerUi::new("/docs").config(Config::from(DOCUMENT));
    // Around everything, so that an unknown path has the same problem in each role.
    layers::around(router, health.merge(root).merge(page), log, clock)
}

/// Joins the documents of both services, which are one API under one address.
fn joined(commands: OpenApi, reads: OpenApi) -> OpenApi {
    let mut document = commands.merge_from(reads);
    document.info.title = "Taskfold".into();
    document
}

/// Document of a role that serves only health and metrics.
fn without_an_api() -> OpenApi {
    let info = InfoBuilder::new().title("Taskfold").version(env!("CARGO_PKG_VERSION"));
    OpenApiBuilder::new().info(info.build()).build()
}
