//! Changes that touch the same thing. Two edits made at the same time merge when they touch different things.

use uuid::Uuid;

/// One thing an event changes: a field, or one member of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Touch {
    /// Name that callers know: `title`, `column_id`, `label_ids`.
    pub field: &'static str,
    /// Member of a set, where members are changed one by one.
    pub member: Option<Uuid>,
}

/// Bearing of an aggregate's events on edits made at the same time.
pub trait Touches {
    /// Things the event changes; empty for side changes (comments), which do not make an open form outdated.
    fn touches(&self) -> Vec<Touch>;

    fn is_edit(&self) -> bool {
        !self.touches().is_empty()
    }
}

pub(crate) fn field(field: &'static str) -> Vec<Touch> {
    vec![Touch { field, member: None }]
}

pub(crate) fn member(field: &'static str, member: Uuid) -> Vec<Touch> {
    vec![Touch { field, member: Some(member) }]
}

/// Members by which two versions of a set differ.
pub(crate) fn members<T: PartialEq + Copy + Into<Uuid>>(name: &'static str, from: &[T], to: &[T]) -> Vec<Touch> {
    let removed = from.iter().filter(|item| !to.contains(item));
    let added = to.iter().filter(|item| !from.contains(item));
    removed.chain(added).map(|item| Touch { field: name, member: Some((*item).into()) }).collect()
}
