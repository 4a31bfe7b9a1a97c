//! Fold of events into members of teams.

use taskfold_domain::TeamEvent;

use crate::decoded::{Decoded, NoRow};
use crate::read_models::intervals;
use crate::tables::{Keys, Tables};

pub fn keys(keys: &mut Keys, decoded: &Decoded<'_>, event: &TeamEvent) {
    keys.team_members.extend(event.role_changes().iter().map(|change| (decoded.id, change.holder.0)));
}

pub fn apply(tables: &mut Tables, decoded: &Decoded<'_>, event: &TeamEvent) -> Result<(), NoRow> {
    let (open, past) = (&mut tables.team_members, &mut tables.past_team_members);
    event.role_changes().into_iter().try_for_each(|change| {
        intervals::apply(open, past, &(decoded.id, change.holder.0), change, decoded.logged.position)
    })
}
