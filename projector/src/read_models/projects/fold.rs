//! Fold of events into projects.

use taskfold_domain::ProjectEvent;
use taskfold_domain::project::Fields;

use super::ProjectRow;
use crate::decoded::{Decoded, NoRow};
use crate::tables::{Keys, Tables};

pub fn keys(keys: &mut Keys, decoded: &Decoded<'_>) {
    keys.projects.insert(decoded.id);
}

/// Refuses an event of a project that has no row.
pub fn check(tables: &Tables, decoded: &Decoded<'_>, event: &ProjectEvent) -> Result<(), NoRow> {
    let exists = matches!(event, ProjectEvent::Created(_)) || tables.projects.get(&decoded.id).is_some();
    exists.then_some(()).ok_or(NoRow("project"))
}

pub fn apply(tables: &mut Tables, decoded: &Decoded<'_>, event: &ProjectEvent) -> Result<(), NoRow> {
    let logged = decoded.logged;
    if let ProjectEvent::Created(created) = event {
        tables.projects.put(ProjectRow {
            project_id: decoded.id,
            fields: Fields::new(created),
            created_at: logged.occurred_at,
            created_by: logged.actor_id,
            updated_at: logged.recorded_at,
            version: logged.sequence,
            position: logged.position,
        });
        return Ok(());
    }
    let row = tables.projects.get_mut(&decoded.id).ok_or(NoRow("project"))?;
    row.fields.apply(event);
    row.updated_at = logged.recorded_at;
    row.version = logged.sequence;
    row.position = logged.position;
    Ok(())
}
