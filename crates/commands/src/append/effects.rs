//! Everything that a decision asks of the append beside its events: what it relied on, and what the side tables of the
//! append have to say afterwards.

use chrono::{DateTime, Utc};
use taskfold_domain::ids::{ColumnId, TaskId};
use taskfold_domain::task::side_tables::{Link, LinkKind, Placement};
use uuid::Uuid;

/// A version of an aggregate that a decision relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExpectedVersion {
    pub version: u64,
    /// Command of the last event, where that is known: the version alone does not tell one log from another.
    pub command_id: Option<Uuid>,
}

/// Another aggregate that a decision relied on: the command is refused if it has changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Guard {
    pub aggregate_type: &'static str,
    pub aggregate: Uuid,
    pub expected: ExpectedVersion,
}

/// A condition on other tasks that holds at the moment of the append. A new kind is named here and in
/// `taskfold_failed_check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// The column holds fewer tasks than its enforced limit.
    WipLimit { column: ColumnId, limit: u32 },
    /// The column holds no tasks.
    NoTasks { column: ColumnId },
    /// The link to this task closes no cycle.
    Acyclic { kind: LinkKind, target: TaskId },
}

/// Effects of a decision on other aggregates and on the side tables of the append.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    pub guards: Vec<Guard>,
    pub checks: Vec<Check>,
    /// Placement of the task after its events, where they change it.
    pub placement: Option<Placement>,
    pub link: Option<Link>,
    /// Time of the task's next reminder, where that changes; `None` inside: there is none.
    pub reminder: Option<Option<DateTime<Utc>>>,
    /// Id of the thing that was created inside the aggregate.
    pub created_id: Option<Uuid>,
    /// The aggregate, or something inside it, was created.
    pub created: bool,
}
