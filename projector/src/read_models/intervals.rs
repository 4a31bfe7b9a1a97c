//! Intervals by position in which somebody has a role: a row while it lasts, and a row of its own once it has ended.

use taskfold_domain::role::RoleChange;

use crate::decoded::NoRow;
use crate::row::Row;
use crate::rows::Rows;

/// An interval that lasts.
pub trait Open: Row {
    /// The interval once it has ended.
    type Past: Row;
    type Role;
    fn new(key: &Self::Key, role: Self::Role, position: i64) -> Self;
    fn ended(&self, position: i64) -> Self::Past;
    fn begin(&mut self, role: Self::Role, position: i64);
}

/// Implements [`Open`] for rows that differ in the names of their key alone.
macro_rules! open {
    ($open:ident ($one:ident, $other:ident, $role:ty) ends as $past:ident) => {
        impl $crate::read_models::intervals::Open for $open {
            type Past = $past;
            type Role = $role;
            fn new(&($one, $other): &Self::Key, role: $role, position: i64) -> Self {
                Self { $one, $other, role, position, from_position: position }
            }
            fn ended(&self, position: i64) -> $past {
                let Self { $one, $other, role, from_position, .. } = *self;
                $past { $one, $other, role, from_position, to_position: position }
            }
            fn begin(&mut self, role: $role, position: i64) {
                self.role = role;
                self.from_position = position;
            }
        }
    };
}
pub(super) use open;

/// Applies a change of role: an interval begins, ends where the next one begins, or ends.
pub fn apply<R: Open, H>(
    open: &mut Rows<R>,
    past: &mut Rows<R::Past>,
    key: &R::Key,
    change: RoleChange<H, R::Role>,
    position: i64,
) -> Result<(), NoRow> {
    if change.from.is_some() {
        past.put(open.get(key).ok_or(NoRow("membership"))?.ended(position));
    }
    match (open.get_mut(key).filter(|_| change.from.is_some()), change.to) {
        (Some(row), Some(role)) => row.begin(role, position),
        (None, Some(role)) => open.put(R::new(key, role, position)),
        (Some(_) | None, None) => open.remove(key),
    }
    Ok(())
}
