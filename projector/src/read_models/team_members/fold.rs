//! Fold of events into members of teams.

use taskfold_domain::TeamEvent;
use taskfold_domain::role::{Holder, RoleChange};
use taskfold_domain::team::TeamRole;
use uuid::Uuid;

use crate::decoded::{Decoded, NoRow};
use crate::read_models::intervals;
use crate::tables::{Keys, Tables};

pub fn keys(keys: &mut Keys, decoded: &Decoded<'_>, event: &TeamEvent) {
    keys.team_members.extend(changes(event).map(|(user, _)| (decoded.id, user)));
}

pub fn apply(tables: &mut Tables, decoded: &Decoded<'_>, event: &TeamEvent) -> Result<(), NoRow> {
    let (open, past) = (&mut tables.team_members, &mut tables.past_team_members);
    changes(event).try_for_each(|(user, change)| {
        intervals::apply(open, past, &(decoded.id, user), change, decoded.logged.position)
    })
}

fn changes(event: &TeamEvent) -> impl Iterator<Item = (Uuid, RoleChange<TeamRole>)> {
    event.role_changes().into_iter().filter_map(|change| match change.holder {
        Holder::Person(user) => Some((user.0, change)),
        Holder::Team(_) => None,
    })
}
