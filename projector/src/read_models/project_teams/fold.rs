//! Fold of events into teams with a role in a project.

use taskfold_domain::ProjectEvent;
use taskfold_domain::role::{Holder, Role, RoleChange};
use uuid::Uuid;

use crate::decoded::{Decoded, NoRow};
use crate::read_models::intervals;
use crate::tables::{Keys, Tables};

pub fn keys(keys: &mut Keys, decoded: &Decoded<'_>, event: &ProjectEvent) {
    keys.project_teams.extend(changes(event).map(|(team, _)| (decoded.id, team)));
}

pub fn apply(tables: &mut Tables, decoded: &Decoded<'_>, event: &ProjectEvent) -> Result<(), NoRow> {
    let (open, past) = (&mut tables.project_teams, &mut tables.past_project_teams);
    changes(event).try_for_each(|(team, change)| {
        intervals::apply(open, past, &(decoded.id, team), change, decoded.logged.position)
    })
}

fn changes(event: &ProjectEvent) -> impl Iterator<Item = (Uuid, RoleChange<Holder, Role>)> {
    event.role_changes().into_iter().filter_map(|change| match change.holder {
        Holder::Person(_) => None,
        Holder::Team(team) => Some((team.0, change)),
    })
}
