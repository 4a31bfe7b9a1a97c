//! The payload of commands that carry nothing.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A command that carries nothing: an empty object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Empty {}
