use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A board exported from Trello as JSON.
    Trello,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    #[param(inline)]
    pub format: Format,
    /// Into this project, which needs the role admin; without it, into a project of the board's own.
    pub project_id: Option<Uuid>,
}
