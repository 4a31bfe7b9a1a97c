//! Selection of the commands that go into one call.

use std::collections::{HashMap, HashSet, VecDeque};

use taskfold_domain::ids::{ColumnId, ProjectId, UserId};
use uuid::Uuid;

use super::{Append, Check};

/// Something that a command depends on or changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Resource {
    Command(UserId, Uuid),
    Aggregate(Uuid),
    /// The number of tasks in a column.
    ColumnCount(Option<ProjectId>, ColumnId),
    /// A rank in a column.
    Rank(Option<ProjectId>, ColumnId, String),
    /// All links between tasks.
    Links,
}

/// Resources of one command.
#[derive(Default)]
struct Footprint {
    /// No other command of the batch may use them.
    exclusive: Vec<Resource>,
    /// Others may read them too, and none may write them.
    reads: Vec<Resource>,
    /// Others may write them too, and none may read them.
    writes: Vec<Resource>,
}

impl Footprint {
    fn of(append: &Append) -> Self {
        let mut this = Self::default();
        this.exclusive.push(Resource::Command(append.actor, append.command_id));
        this.writes.push(Resource::Aggregate(append.aggregate));
        let effects = &append.effects;
        this.reads.extend(effects.guards.iter().map(|guard| Resource::Aggregate(guard.aggregate)));
        for check in &effects.checks {
            match check {
                Check::WipLimit { column, .. } | Check::NoTasks { column } => {
                    this.reads.push(Resource::ColumnCount(append.project, *column));
                }
                // Every link is exclusive, below.
                Check::Acyclic { .. } => {}
            }
        }
        if let Some(placement) = &effects.placement {
            let rank = placement.rank.as_str().to_owned();
            this.exclusive.push(Resource::Rank(append.project, placement.column, rank));
            this.writes.push(Resource::ColumnCount(append.project, placement.column));
        }
        this.exclusive.extend(effects.link.map(|_| Resource::Links));
        this
    }
}

/// Commands that do not depend on each other, except that several on one aggregate follow one another.
#[derive(Default)]
struct Batch {
    exclusive: HashSet<Resource>,
    read: HashSet<Resource>,
    written: HashSet<Resource>,
    /// The version that the commands taken leave of each aggregate.
    versions: HashMap<Uuid, u64>,
    /// Aggregates with a command that has to wait, and with it all later ones.
    waiting: HashSet<Uuid>,
}

impl Batch {
    /// Adds the command if it may join the batch; returns whether it did.
    fn add(&mut self, append: &Append) -> bool {
        let new = Footprint::of(append);
        let follows = self.versions.get(&append.aggregate).is_none_or(|version| *version == append.expected.version);
        // A command without events leaves no version by which the next one could tell: it is the only one on its
        // aggregate.
        let joins = follows
            && (!append.events.is_empty() || !self.versions.contains_key(&append.aggregate))
            && !self.waiting.contains(&append.aggregate)
            && !new.exclusive.iter().any(|resource| self.exclusive.contains(resource))
            && !new.reads.iter().any(|resource| self.written.contains(resource))
            && !new.writes.iter().any(|resource| self.read.contains(resource));
        if joins {
            self.exclusive.extend(new.exclusive);
            self.read.extend(new.reads);
            self.written.extend(new.writes);
            self.versions.insert(append.aggregate, append.expected.version + append.events.len() as u64);
        }
        if !joins || append.events.is_empty() {
            self.waiting.insert(append.aggregate);
        }
        joins
    }
}

/// Takes the first command, and of those behind it every one that may go into the same call. The others keep their
/// order, so that each becomes the first some time.
pub fn take<T>(queue: &mut VecDeque<T>, limit: usize, append: impl Fn(&T) -> &Append) -> Vec<T> {
    let mut batch = Batch::default();
    let (mut taken, mut left) = (Vec::new(), VecDeque::new());
    while taken.len() < limit
        && let Some(next) = queue.pop_front()
    {
        if batch.add(append(&next)) {
            taken.push(next);
        } else {
            left.push_back(next);
        }
    }
    left.append(queue);
    *queue = left;
    taken
}

#[cfg(test)]
mod tests {
    use taskfold_domain::Rank;
    use taskfold_domain::ids::TaskId;
    use taskfold_domain::task::side_tables::{Link, Placement, PlacementState};

    use super::super::{Effects, ExpectedVersion, Guard, NewEvent};
    use super::*;

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    const PROJECT: u128 = 1;
    const VERSION: ExpectedVersion = ExpectedVersion { version: 7, command_id: None };

    fn guard(aggregate_type: &'static str, aggregate: u128) -> Guard {
        Guard { aggregate_type, aggregate: id(aggregate), expected: VERSION }
    }

    /// A command on this aggregate of the one project, under an id of its own.
    fn on(aggregate: u128) -> Append {
        let project = ProjectId(id(PROJECT));
        Append {
            effects: Effects { guards: vec![guard("project", PROJECT)], ..Effects::default() },
            events: vec![NewEvent::default()],
            ..Append::new("task", id(aggregate), Some(project), UserId(id(2)), id(1000 + aggregate))
        }
    }

    fn placed(aggregate: u128, column: u128, rank: i64, wip_limit: Option<u32>) -> Append {
        let at = chrono::DateTime::from_timestamp(rank, 0).expect("a time");
        let rank = Rank::at_end(at.into(), 0);
        let column = ColumnId(id(column));
        let mut append = on(aggregate);
        append.effects.placement = Some(Placement { column, rank, state: PlacementState::OnBoard });
        append.effects.checks.extend(wip_limit.map(|limit| Check::WipLimit { column, limit }));
        append
    }

    /// The aggregates of one batch after the other.
    fn batches(appends: impl IntoIterator<Item = Append>) -> Vec<Vec<u128>> {
        let mut waiting: VecDeque<Append> = appends.into_iter().collect();
        let mut batches = Vec::new();
        while !waiting.is_empty() {
            let batch = take(&mut waiting, 256, |append| append);
            batches.push(batch.iter().map(|append| append.aggregate.as_u128()).collect());
        }
        batches
    }

    #[test]
    fn commands_on_tasks_of_one_project_share_a_batch() {
        assert_eq!(batches([on(10), on(11), placed(12, 5, 1, None), placed(13, 5, 2, None)]), [[10, 11, 12, 13]]);
    }

    #[test]
    fn commands_with_the_same_expected_version_or_command_id_do_not_share_a_batch() {
        assert_eq!(batches([on(10), on(10), on(11)]), [vec![10, 11], vec![10]]);
        let same = Append { command_id: id(1010), ..on(11) };
        assert_eq!(batches([on(10), same, on(12)]), [vec![10, 12], vec![11]]);
    }

    #[test]
    fn a_change_of_a_project_or_team_is_not_batched_with_decisions_on_it() {
        let project = Append { effects: Effects::default(), ..on(PROJECT) };
        assert_eq!(batches([on(10), project.clone(), on(11)]), [vec![10, 11], vec![PROJECT]]);
        assert_eq!(batches([project, on(10), on(11)]), [vec![PROJECT], vec![10, 11]]);
        let team = Append::new("team", id(3), None, UserId(id(2)), id(5));
        let decided_on_it =
            Append { effects: Effects { guards: vec![guard("team", 3)], ..Effects::default() }, ..on(10) };
        assert_eq!(batches([decided_on_it, team, on(11)]), [vec![10, 11], vec![3]]);
    }

    #[test]
    fn a_counted_limit_is_not_batched_with_commands_that_change_the_count() {
        let limited = [placed(10, 5, 1, Some(3)), placed(11, 5, 2, Some(3)), placed(12, 6, 3, None)];
        assert_eq!(batches(limited), [vec![10, 12], vec![11]]);
        let checks = vec![Check::NoTasks { column: ColumnId(id(5)) }];
        let empties = Append { effects: Effects { checks, ..Effects::default() }, ..on(PROJECT) };
        assert_eq!(batches([empties, placed(10, 5, 1, None)]), [vec![PROJECT], vec![10]]);
    }

    #[test]
    fn commands_with_the_same_rank_or_with_links_do_not_share_a_batch() {
        assert_eq!(batches([placed(10, 5, 1, None), placed(11, 5, 1, None)]), [[10], [11]]);
        let linked = |task: u128, to: u128| Append {
            effects: Effects { link: Some(Link::WaitsFor(TaskId(id(to)))), ..Effects::default() },
            ..on(task)
        };
        assert_eq!(batches([linked(10, 11), linked(11, 10), on(12)]), [vec![10, 12], vec![11]]);
    }

    /// The nth command on an aggregate, which expects the version that the one before it leaves.
    fn nth(aggregate: u128, n: u64) -> Append {
        let expected = ExpectedVersion { version: n, command_id: None };
        Append { expected, command_id: id(5000 + u128::from(n)), ..on(aggregate) }
    }

    #[test]
    fn consecutive_commands_on_one_aggregate_share_a_batch() {
        assert_eq!(batches([nth(10, 1), on(11), nth(10, 2), nth(10, 3)]), [[10, 11, 10, 10]]);
        assert_eq!(batches([nth(10, 1), nth(10, 3), nth(10, 2)]), [vec![10], vec![10], vec![10]], "in order");
    }

    #[test]
    fn a_command_waits_behind_a_waiting_predecessor() {
        let rank = |n: i64, aggregate| Append { effects: placed(aggregate, 5, n, None).effects, ..nth(aggregate, 1) };
        let taken = Append { effects: placed(9, 5, 1, None).effects, ..on(9) };
        assert_eq!(batches([taken, rank(1, 10), nth(10, 2), on(11)]), [vec![9, 11], vec![10, 10]]);
    }
}
