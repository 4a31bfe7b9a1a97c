//! Fold of events into teams.

use taskfold_domain::TeamEvent;
use taskfold_domain::team::Fields;

use super::TeamRow;
use crate::decoded::{Decoded, NoRow};
use crate::tables::{Keys, Tables};

pub fn keys(keys: &mut Keys, decoded: &Decoded<'_>) {
    keys.teams.insert(decoded.id);
}

/// Refuses an event of a team that has no row.
pub fn check(tables: &Tables, decoded: &Decoded<'_>, event: &TeamEvent) -> Result<(), NoRow> {
    let exists = matches!(event, TeamEvent::Created(_)) || tables.teams.get(&decoded.id).is_some();
    exists.then_some(()).ok_or(NoRow("team"))
}

pub fn apply(tables: &mut Tables, decoded: &Decoded<'_>, event: &TeamEvent) -> Result<(), NoRow> {
    let logged = decoded.logged;
    match event {
        TeamEvent::Created(created) => tables.teams.put(TeamRow {
            team_id: decoded.id,
            fields: Fields::new(created),
            created_at: logged.occurred_at,
            created_by: logged.actor_id,
            version: logged.sequence,
            position: logged.position,
        }),
        TeamEvent::Deleted(_) => tables.teams.remove(&decoded.id),
        TeamEvent::Renamed(_)
        | TeamEvent::MemberAdded(_)
        | TeamEvent::MemberRoleChanged(_)
        | TeamEvent::MemberRemoved(_) => {
            let row = tables.teams.get_mut(&decoded.id).ok_or(NoRow("team"))?;
            row.fields.apply(event);
            row.version = logged.sequence;
            row.position = logged.position;
        }
    }
    Ok(())
}
