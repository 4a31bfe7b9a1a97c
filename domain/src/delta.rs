//! Values before and after. `from` and `to` are always both written, null included.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A field whose value changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Delta<T> {
    pub from: T,
    pub to: T,
}

impl<T> Delta<T> {
    pub fn new(from: T, to: T) -> Self {
        Self { from, to }
    }
}

impl<T: PartialEq + Clone> Delta<T> {
    /// `None` where nothing changes.
    pub fn between(from: &T, to: T) -> Option<Self> {
        (*from != to).then(|| Self { from: from.clone(), to })
    }
}

/// Always JSON null: the side on which a thing does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(value_type = Option<Object>)]
pub struct Nothing(());

/// A thing or field that is new: `from` is null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Added<T> {
    #[schema(value_type = Option<Object>)]
    pub from: Nothing,
    pub to: T,
}

impl<T> From<T> for Added<T> {
    fn from(to: T) -> Self {
        Self { from: Nothing::default(), to }
    }
}

/// A thing that was removed: `to` is null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Removed<T> {
    pub from: T,
    #[schema(value_type = Option<Object>)]
    pub to: Nothing,
}

impl<T> From<T> for Removed<T> {
    fn from(from: T) -> Self {
        Self { from, to: Nothing::default() }
    }
}
