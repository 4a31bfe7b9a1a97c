//! Tables derived from rows of tasks and projects: search documents, and the number of cards in each column. Written in
//! the same transaction as the rows, once for a batch.

use std::collections::HashMap;

use sqlx::{PgConnection, PgPool};
use taskfold_domain::ids::LabelId;
use taskfold_domain::project::Label;
use uuid::Uuid;

use crate::ProjectorError;
use crate::read_models::{ProjectRow, TaskRow};
use crate::tables::Tables;

/// Tables, with the columns of their keys and the version of the derivation.
pub const TABLES: &[(&str, &[&str], i32)] = &[
    ("column_counts", &["project_id", "column_id"], 1),
    ("task_documents", &["task_id"], 1),
    ("label_documents", &["project_id", "label_id"], 1),
];

/// Derives all rows, into empty tables.
pub async fn write_all(pool: &PgPool) -> sqlx::Result<()> {
    let mut db = pool.acquire().await?;
    insert_documents(&mut db, 0, i64::from(u32::MAX)).await?;
    write_all_but_documents(&mut db).await
}

/// Derives all rows but the documents, which take longest.
pub async fn write_all_but_documents(db: &mut PgConnection) -> sqlx::Result<()> {
    insert_counts(db, None).await?;
    let projects = sqlx::query_scalar!("SELECT project_id FROM projects").fetch_all(&mut *db).await?;
    insert_labels(db, &projects).await
}

/// Inserts the documents of the tasks in these blocks of their table, the last one excluded.
pub async fn insert_documents(db: &mut PgConnection, first: i64, end: i64) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO task_documents (task_id, project_id, archived, created_at, document)
        SELECT task_id, project_id, archived, created_at, taskfold_task_document(title, description, label_ids)
        FROM tasks
        WHERE NOT deleted AND ctid >= $1::text::tid AND ctid < $2::text::tid
        "#,
        format!("({first},0)"),
        format!("({end},0)"),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Inserts the counts of one project, or of all.
async fn insert_counts(db: &mut PgConnection, project: Option<Uuid>) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO column_counts (project_id, column_id, tasks)
        SELECT project_id, column_id, count(*) FROM tasks
        WHERE NOT archived AND NOT deleted AND ($1::uuid IS NULL OR project_id = $1)
        GROUP BY project_id, column_id
        "#,
        project,
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn insert_labels(db: &mut PgConnection, projects: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO label_documents (project_id, label_id, document)
        SELECT project_id, (label ->> 'id')::uuid, to_tsvector('pg_catalog.simple', label ->> 'name')
        FROM projects, jsonb_array_elements(labels) AS label
        WHERE project_id = ANY ($1)
        "#,
        projects,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Deletes the documents of a task, or of the labels of a project.
pub async fn forget(db: &mut PgConnection, aggregate: Uuid) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM task_documents WHERE task_id = $1", aggregate).execute(&mut *db).await?;
    sqlx::query!("DELETE FROM label_documents WHERE project_id = $1", aggregate).execute(db).await?;
    Ok(())
}

/// Counts the cards of a project's columns anew.
pub async fn count_anew(db: &mut PgConnection, project: Uuid) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM column_counts WHERE project_id = $1", project).execute(&mut *db).await?;
    insert_counts(db, Some(project)).await
}

/// Writes the modified rows back, and what is derived from them.
pub async fn flush(tables: &mut Tables, db: &mut PgConnection) -> Result<(), ProjectorError> {
    let derived = Derived::of(tables);
    tables.flush(db).await?;
    derived.store(db).await
}

/// Derived rows that a batch has to write.
#[derive(Default)]
struct Derived {
    /// Tasks whose documents are to be written, and those that have none any more.
    documents: Vec<Uuid>,
    without: Vec<Uuid>,
    /// Changes of the number of cards, by project and column.
    counts: HashMap<(Uuid, Uuid), i64>,
    /// Projects whose labels changed.
    labels: Vec<Uuid>,
}

impl Derived {
    /// Derives from the rows that were modified and not flushed yet.
    fn of(tables: &Tables) -> Self {
        let mut derived = Self::default();
        for (stored, now) in tables.tasks.changes() {
            derived.add_document(stored, now);
            derived.count(stored, -1);
            derived.count(now, 1);
        }
        derived.counts.retain(|_, change| *change != 0);
        for (stored, now) in tables.projects.changes() {
            derived.add_labels(stored, now);
        }
        derived
    }

    fn add_document(&mut self, stored: Option<&TaskRow>, now: Option<&TaskRow>) {
        type Shown<'a> = (&'a str, &'a str, &'a [LabelId], bool);
        fn shown(row: &TaskRow) -> Option<Shown<'_>> {
            let fields = &row.fields;
            (!row.deleted).then_some((&fields.title, &fields.description, &fields.label_ids, fields.archived))
        }
        match (stored.and_then(|row| Some((row, shown(row)?))), now.and_then(|row| Some((row, shown(row)?)))) {
            (before, Some((row, after))) if before.is_none_or(|(_, before)| before != after) => {
                self.documents.push(row.task_id);
            }
            (Some((row, _)), None) => self.without.push(row.task_id),
            (Some(_), Some(_)) | (None, _) => {}
        }
    }

    fn count(&mut self, row: Option<&TaskRow>, by: i64) {
        if let Some(row) = row.filter(|row| !row.fields.archived && !row.deleted) {
            *self.counts.entry((row.fields.project_id.0, row.fields.column_id.0)).or_default() += by;
        }
    }

    fn add_labels(&mut self, stored: Option<&ProjectRow>, now: Option<&ProjectRow>) {
        fn labels(row: Option<&ProjectRow>) -> &[Label] {
            row.map_or(&[], |row| &row.fields.labels)
        }
        if labels(stored) != labels(now) {
            self.labels.extend(now.or(stored).map(|row| row.project_id));
        }
    }

    /// Runs after the rows themselves were written.
    async fn store(self, db: &mut PgConnection) -> Result<(), ProjectorError> {
        if !self.without.is_empty() {
            sqlx::query!("DELETE FROM task_documents WHERE task_id = ANY ($1)", &self.without)
                .execute(&mut *db)
                .await?;
        }
        if !self.documents.is_empty() {
            sqlx::query!(
                r#"
                INSERT INTO task_documents (task_id, project_id, archived, created_at, document)
                SELECT task_id, project_id, archived, created_at, taskfold_task_document(title, description, label_ids)
                FROM tasks WHERE task_id = ANY ($1)
                ON CONFLICT (task_id) DO UPDATE SET archived = excluded.archived, document = excluded.document
                "#,
                &self.documents,
            )
            .execute(&mut *db)
            .await?;
        }
        if !self.counts.is_empty() {
            let (columns, changes): (Vec<_>, Vec<_>) = self.counts.into_iter().unzip();
            let (projects, columns): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
            sqlx::query!(
                r#"
                INSERT INTO column_counts AS c (project_id, column_id, tasks)
                SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[])
                ON CONFLICT (project_id, column_id) DO UPDATE SET tasks = c.tasks + excluded.tasks
                "#,
                &projects,
                &columns,
                &changes,
            )
            .execute(&mut *db)
            .await?;
        }
        if !self.labels.is_empty() {
            sqlx::query!("DELETE FROM label_documents WHERE project_id = ANY ($1)", &self.labels)
                .execute(&mut *db)
                .await?;
            insert_labels(db, &self.labels).await?;
        }
        Ok(())
    }
}
