//! Query parameters of a request for an import.

use serde::Deserialize;
use taskfold_imports::source::Format;
use utoipa::IntoParams;
use uuid::Uuid;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Parameters {
    #[param(inline)]
    pub format: Format,
    /// Project to import into, in which the caller needs the role admin. Without it, the board gets its own project.
    pub project_id: Option<Uuid>,
}
