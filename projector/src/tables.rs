//! All read tables, in memory.

use std::collections::HashSet;
use std::sync::Arc;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::ProjectorError;
use crate::read_models::{
    AttachmentRow, ChannelEventRow, CommentRow, MemberRow, NotificationRow, PastMemberRow, PastProjectTeamRow,
    PastTeamMemberRow, ProjectRow, ProjectTeamRow, TaskRow, TeamMemberRow, TeamRow, WatcherHistory,
};
use crate::row::Row;
use crate::rows::{Rows, Unreadable};

/// Defines all read tables from one list: what is done to all of them is done to a new one too.
macro_rules! tables {
    ($($field:ident: $row:ident),* $(,)?) => {
        /// All read tables in memory.
        #[derive(Default)]
        pub struct Tables {
            $(pub $field: Rows<$row>,)*
            /// Watchers of projects over time, where the rows of projects are not loaded.
            pub history: Option<Arc<WatcherHistory>>,
        }

        /// Keys of the rows that events modify.
        #[derive(Default)]
        pub struct Keys {
            $(pub $field: HashSet<<$row as Row>::Key>,)*
        }

        /// Name of each table, the columns of its key, and the version of its projection.
        pub const TABLES: &[(&str, &[&str], i32)] = &[$(($row::TABLE, $row::KEY, $row::VERSION)),*];

        impl Tables {
            /// Loads the rows of these keys. Returns the aggregates with rows that cannot be read.
            pub async fn load(&mut self, db: &mut PgConnection, keys: &Keys) -> Result<Unreadable, ProjectorError> {
                let mut unreadable = Unreadable::new();
                $(self.$field.load(db, &keys.$field, &mut unreadable).await?;)*
                Ok(unreadable)
            }

            /// Writes the modified rows back. Nothing is derived: see [`crate::derived::flush`].
            pub(crate) async fn flush(&mut self, db: &mut PgConnection) -> Result<(), ProjectorError> {
                $(self.$field.flush(db).await?;)*
                Ok(())
            }

            /// Copies all rows into tables that have none of them, and keeps none. Nothing is derived.
            pub async fn copy(&mut self, db: &mut PgConnection) -> Result<(), ProjectorError> {
                $(self.$field.copy(db).await?;)*
                Ok(())
            }

            /// Deletes what an earlier fold of one aggregate left in the tables.
            pub async fn delete_of(db: &mut PgConnection, aggregate: Uuid) -> sqlx::Result<()> {
                $(Rows::<$row>::delete_of(db, aggregate).await?;)*
                Ok(())
            }

            /// Number of rows in memory.
            pub fn rows(&self) -> usize {
                0 $(+ self.$field.len())*
            }

            /// Each table with the version and the digest of its row, and its rows as JSON, in order.
            #[cfg(test)]
            pub fn dump(&self) -> Vec<(Projection, Vec<String>)> {
                vec![$({
                    // Through a value, whose keys are in alphabetical order: that of the fields does not matter.
                    let json = |row| serde_json::to_value(row).unwrap_or_default().to_string();
                    let mut rows: Vec<String> = self.$field.iter().map(|(_, row)| json(row)).collect();
                    rows.sort();
                    (Projection { table: $row::TABLE, version: $row::VERSION, digest: $row::DIGEST }, rows)
                }),*]
            }

            /// Compares each table with the one in the database, and reports each difference. Returns how many rows
            /// those have.
            pub async fn compare(
                &self,
                db: &mut PgConnection,
                report: &mut (dyn FnMut(String) + Send),
            ) -> Result<usize, ProjectorError> {
                Ok(0 $(+ self.$field.compare(db, report).await?)*)
            }
        }
    };
}

tables! {
    tasks: TaskRow,
    projects: ProjectRow,
    members: MemberRow,
    comments: CommentRow,
    attachments: AttachmentRow,
    teams: TeamRow,
    team_members: TeamMemberRow,
    project_teams: ProjectTeamRow,
    past_members: PastMemberRow,
    past_team_members: PastTeamMemberRow,
    past_project_teams: PastProjectTeamRow,
    channel_events: ChannelEventRow,
    notifications: NotificationRow,
}

/// A read table, as the frozen events come to it.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Projection {
    pub table: &'static str,
    pub version: i32,
    pub digest: &'static str,
}
