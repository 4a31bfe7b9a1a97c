//! Search for aggregates that lack rows in the side tables.

use std::collections::HashSet;

use sqlx::PgConnection;
use taskfold_domain::SubjectKind;
use taskfold_event_log::Aggregate;
use uuid::Uuid;

use super::differences::tasks;
use super::fold::{Break, Folded, Sink, fold};
use crate::ProjectorError;

/// Finds those of these aggregates that lack rows in the tables of the append. Rows of other aggregates are not
/// compared.
pub async fn incomplete(db: &mut PgConnection, of: &[Aggregate]) -> Result<Vec<Aggregate>, ProjectorError> {
    let ids: Vec<Uuid> =
        of.iter().filter(|(kind, _)| kind == SubjectKind::Task.as_str()).map(|(_, task)| *task).collect();
    let mut wrong = Wrong::default();
    fold(db, Some(&ids), &mut wrong).await?;
    let (kinds, ids): (Vec<&str>, Vec<Uuid>) = of.iter().map(|(kind, id)| (kind.as_str(), *id)).unzip();
    let lacking: HashSet<Aggregate> = sqlx::query!(
        r#"
        SELECT a.kind AS "kind!", a.id AS "id!"
        FROM unnest($1::text[], $2::uuid[]) AS a (kind, id)
        WHERE EXISTS (
            SELECT FROM events e
            WHERE e.aggregate_type = a.kind AND e.aggregate_id = a.id::text AND NOT EXISTS (
                SELECT FROM commands c WHERE c.actor_id = e.actor_id AND c.command_id = e.command_id))
        OR EXISTS (SELECT FROM events e WHERE e.aggregate_type = a.kind AND e.aggregate_id = a.id::text) AND NOT EXISTS (
            SELECT FROM aggregate_heads h JOIN events e ON e.position = h.position
            WHERE h.aggregate_type = a.kind AND h.aggregate_id = a.id AND h.version = (
                SELECT max(l.sequence) FROM events l
                WHERE l.aggregate_type = a.kind AND l.aggregate_id = a.id::text))
        "#,
        &kinds as _,
        &ids,
    )
    .map(|aggregate| (aggregate.kind, aggregate.id))
    .fetch_all(db)
    .await?
    .into_iter()
    .collect();
    Ok(of.iter().filter(|aggregate| wrong.0.contains(&aggregate.1) || lacking.contains(*aggregate)).cloned().collect())
}

#[derive(Default)]
struct Wrong(HashSet<Uuid>);

impl Sink for Wrong {
    async fn tasks(&mut self, db: &mut PgConnection, folded: Vec<Folded>) -> Result<(), ProjectorError> {
        self.0.extend(tasks(db, &folded).await?.into_iter().filter_map(|difference| difference.task));
        Ok(())
    }

    fn breaks(&mut self, _: Break) {}
}
