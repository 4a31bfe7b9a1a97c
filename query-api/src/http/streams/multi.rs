//! `GET /v1/stream`: the stream of several projects and the channel `me`.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use taskfold_domain::limits::PROJECTS_PER_STREAM;
use taskfold_web::Problem;
use taskfold_web::client::Client;
use taskfold_web::problem::StreamProblems;
use taskfold_web::read::Query;
use uuid::Uuid;

use super::request::{StreamHeaders, StreamRequest, stream_params};
use crate::http::app::App;
use crate::http::error::ReadError;

stream_params! {
    /// Ids of projects, separated by commas; at most 100.
    projects: Option<String>,
    /// Carries the channel `me`: the caller's notifications, the events of their teams, and changes of their
    /// own memberships. The stream then stays open without any project.
    me: Option<bool>,
}

/// The Changes of several projects in log order, with one cursor for all. Frames as in `streamProject`; `revoked` names
/// the project that ends, and the others continue. `hello` has the `stream_id` with which `changeStream` changes the
/// channels of the open stream; `reauth` with `expires_in` above 0 asks to renew it there.
#[utoipa::path(
    get, path = "/v1/stream", operation_id = "streamProjects", tag = "feed",
    params(Params, StreamHeaders),
    responses((status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream"), StreamProblems),
    security(("bearer" = []), ())
)]
pub async fn handler(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Query(query): Query<Params>,
) -> Result<Response, ReadError> {
    let request = StreamRequest::new(&app, client, &headers, query.stream_query()).await;
    let me = query.me.unwrap_or(false);
    let projects = || match project_ids(query.projects.as_deref().unwrap_or_default())? {
        none if none.is_empty() && !me => {
            Err(Problem::invalid_field("/projects", "must name at least one project unless `me` is true").into())
        }
        projects => Ok(projects),
    };
    request.open(&app, projects, me).await
}

/// Parses the list, in order and without duplicates.
fn project_ids(list: &str) -> Result<Vec<Uuid>, ReadError> {
    let mut ids = Vec::new();
    for text in list.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        let id = Uuid::try_parse(text)
            .map_err(|_| Problem::invalid_field("/projects", "must be UUIDs, separated by commas"))?;
        if !ids.contains(&id) {
            ids.push(id);
        }
        if ids.len() > PROJECTS_PER_STREAM {
            let detail = format!("must have at most {PROJECTS_PER_STREAM} projects");
            return Err(Problem::invalid_field("/projects", detail).into());
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_removed_and_the_list_is_bounded() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(project_ids(&format!("{b}, {a},{b},")).expect("UUIDs"), [b, a]);
        assert!(project_ids("").expect("nothing").is_empty());
        assert!(project_ids("x").is_err());
        let many: Vec<String> = (0..101).map(|n| Uuid::from_u128(n).to_string()).collect();
        assert!(project_ids(&many.join(",")).is_err());
    }
}
