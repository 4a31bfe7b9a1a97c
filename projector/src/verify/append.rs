//! Verification of the side tables of the append.

use sqlx::PgConnection;

use super::{NAMED, Report};
use crate::ProjectorError;
use crate::write_side::{self, Break, Folded, Sink};

/// Folds each aggregate once more by the domain's own rules, and checks that each event follows from those before it
/// and that the append's tables agree with all of them.
pub async fn check(db: &mut PgConnection, report: &mut Report) -> Result<(), ProjectorError> {
    write_side::fold(db, None, report).await?;
    let orphans = write_side::orphans(db, NAMED as i64).await?;
    let commands = write_side::commands(db).await?;
    let heads = write_side::heads(db).await?;
    let files = write_side::files(db).await?;
    let differences = orphans.into_iter().chain(commands).chain(heads).chain(files);
    differences.for_each(|difference| report.fault(difference.to_string()));
    Ok(())
}

impl Sink for Report {
    async fn tasks(&mut self, db: &mut PgConnection, folded: Vec<Folded>) -> Result<(), ProjectorError> {
        self.tasks += folded.len();
        let differences = write_side::tasks(db, &folded).await?;
        differences.into_iter().for_each(|difference| self.fault(difference.to_string()));
        Ok(())
    }

    fn breaks(&mut self, Break { position, field }: Break) {
        self.fault(format!("log: position {position} does not follow: {field} was another before"));
    }
}
