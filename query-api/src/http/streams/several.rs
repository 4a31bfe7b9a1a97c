use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use taskfold_live::MOST_PROJECTS;
use taskfold_web::Problem;
use taskfold_web::problem::StreamProblems;
use taskfold_web::read::Query;
use uuid::Uuid;

use super::door::{Knock, StreamHeaders, stream_params};
use crate::http::app::App;
use crate::http::error::ReadError;

stream_params! {
    /// Ids with commas between them, at most 100.
    projects: Option<String>,
    /// Also what is for the caller: notifications, what happens in their teams, and what becomes of their own memberships. The stream
    /// then stays open without any project.
    me: Option<bool>,
}

/// The Changes of several projects in the order of the log, with one cursor for all. Frames as in `streamProject`;
/// `revoked` names the project that ends, the others go on. `hello` tells the `stream_id` with which `changeStream` changes the
/// channels of the open stream; `reauth` with `expires_in` above 0 says that it is time to renew it there.
#[utoipa::path(
    get, path = "/v1/stream", operation_id = "streamProjects", tag = "feed",
    params(Params, StreamHeaders),
    responses((status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream"), StreamProblems),
    security(("bearer" = []), ())
)]
pub async fn handler(
    State(app): State<App>,
    headers: HeaderMap,
    Query(query): Query<Params>,
) -> Result<Response, ReadError> {
    let knock = Knock::new(&app, &headers, query.wanted()).await;
    let me = query.me.unwrap_or(false);
    let projects = || match project_ids(query.projects.as_deref().unwrap_or_default())? {
        none if none.is_empty() && !me => {
            Err(Problem::invalid_field("/projects", "name at least one project, or send me=true").into())
        }
        projects => Ok(projects),
    };
    knock.answer(&app, projects, me).await
}

/// In their order, each once.
fn project_ids(list: &str) -> Result<Vec<Uuid>, ReadError> {
    let mut ids = Vec::new();
    for text in list.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        let id = Uuid::try_parse(text)
            .map_err(|_| Problem::invalid_field("/projects", "must be UUIDs with commas between them"))?;
        if !ids.contains(&id) {
            ids.push(id);
        }
        if ids.len() > MOST_PROJECTS {
            return Err(Problem::invalid_field("/projects", format!("at most {MOST_PROJECTS}")).into());
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projects_are_named_once_each_and_bounded() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(project_ids(&format!("{b}, {a},{b},")).expect("UUIDs"), [b, a]);
        assert!(project_ids("").expect("nothing").is_empty());
        assert!(project_ids("x").is_err());
        let many: Vec<String> = (0..101).map(|n| Uuid::from_u128(n).to_string()).collect();
        assert!(project_ids(&many.join(",")).is_err());
    }
}
