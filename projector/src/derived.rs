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

/// Inserts the documents of tasks in these blocks of their table ($1 to $2).
pub const DOCUMENTS_OF_BLOCKS: &str = "INSERT INTO task_documents (task_id, project_id, archived, created_at, document) \
    SELECT task_id, project_id, archived, created_at, taskfold_task_document(title, description, label_ids) FROM tasks \
    WHERE NOT deleted AND ctid >= $1::tid AND ctid < $2::tid";
/// Inserts the counts of all projects, or of one ($1).
const COUNTS: &str = "INSERT INTO column_counts (project_id, column_id, tasks) \
    SELECT project_id, column_id, count(*) FROM tasks \
    WHERE NOT archived AND NOT deleted AND ($1::uuid IS NULL OR project_id = $1) GROUP BY project_id, column_id";
const ALL_LABELS: &str = "INSERT INTO label_documents (project_id, label_id, document) \
    SELECT project_id, (label ->> 'id')::uuid, to_tsvector('pg_catalog.simple', label ->> 'name') \
    FROM projects, jsonb_array_elements(labels) AS label";

/// Derives all rows, into empty tables.
pub async fn write_all(pool: &PgPool) -> sqlx::Result<()> {
    let end = format!("({},0)", u32::MAX);
    sqlx::query(DOCUMENTS_OF_BLOCKS).bind("(0,0)").bind(end).execute(pool).await?;
    write_all_but_documents(&mut *pool.acquire().await?).await
}

/// Derives all rows but the documents, which take longest.
pub async fn write_all_but_documents(db: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query(COUNTS).bind(None::<Uuid>).execute(&mut *db).await?;
    sqlx::query(ALL_LABELS).execute(db).await?;
    Ok(())
}

/// Deletes the documents of a task, or of the labels of a project.
pub async fn forget(db: &mut PgConnection, aggregate: Uuid) -> sqlx::Result<()> {
    for documents in
        ["DELETE FROM task_documents WHERE task_id = $1", "DELETE FROM label_documents WHERE project_id = $1"]
    {
        sqlx::query(documents).bind(aggregate).execute(&mut *db).await?;
    }
    Ok(())
}

/// Counts the cards of a project's columns anew.
pub async fn count_anew(db: &mut PgConnection, project: Uuid) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM column_counts WHERE project_id = $1").bind(project).execute(&mut *db).await?;
    sqlx::query(COUNTS).bind(project).execute(db).await?;
    Ok(())
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
            sqlx::query("DELETE FROM task_documents WHERE task_id = ANY ($1)")
                .bind(self.without)
                .execute(&mut *db)
                .await?;
        }
        if !self.documents.is_empty() {
            sqlx::query(
                "INSERT INTO task_documents (task_id, project_id, archived, created_at, document) \
                 SELECT task_id, project_id, archived, created_at, taskfold_task_document(title, description, label_ids) \
                 FROM tasks WHERE task_id = ANY ($1) \
                 ON CONFLICT (task_id) DO UPDATE SET archived = excluded.archived, document = excluded.document",
            )
            .bind(self.documents)
            .execute(&mut *db)
            .await?;
        }
        if !self.counts.is_empty() {
            let (columns, changes): (Vec<_>, Vec<_>) = self.counts.into_iter().unzip();
            let (projects, columns): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
            sqlx::query(
                "INSERT INTO column_counts AS c (project_id, column_id, tasks) SELECT * FROM unnest($1, $2, $3) \
                 ON CONFLICT (project_id, column_id) DO UPDATE SET tasks = c.tasks + excluded.tasks",
            )
            .bind(projects)
            .bind(columns)
            .bind(changes)
            .execute(&mut *db)
            .await?;
        }
        if !self.labels.is_empty() {
            sqlx::query("DELETE FROM label_documents WHERE project_id = ANY ($1)")
                .bind(&self.labels)
                .execute(&mut *db)
                .await?;
            sqlx::query(&format!("{ALL_LABELS} WHERE project_id = ANY ($1)")).bind(&self.labels).execute(db).await?;
        }
        Ok(())
    }
}
