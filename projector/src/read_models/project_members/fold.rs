//! Fold of events into members of projects.

use taskfold_domain::ProjectEvent;
use taskfold_domain::role::{Holder, Role, RoleChange};
use uuid::Uuid;

use crate::decoded::{Decoded, NoRow};
use crate::read_models::intervals;
use crate::tables::{Keys, Tables};

pub fn keys(keys: &mut Keys, decoded: &Decoded<'_>, event: &ProjectEvent) {
    keys.members.extend(changes(event).map(|(user, _)| (decoded.id, user)));
}

pub fn apply(tables: &mut Tables, decoded: &Decoded<'_>, event: &ProjectEvent) -> Result<(), NoRow> {
    let (open, past) = (&mut tables.members, &mut tables.past_members);
    changes(event).try_for_each(|(user, change)| {
        intervals::apply(open, past, &(decoded.id, user), change, decoded.logged.position)
    })
}

fn changes(event: &ProjectEvent) -> impl Iterator<Item = (Uuid, RoleChange<Holder, Role>)> {
    event.role_changes().into_iter().filter_map(|change| match change.holder {
        Holder::Person(user) => Some((user.0, change)),
        Holder::Team(_) => None,
    })
}
