use std::collections::{HashSet, VecDeque};

use taskfold_domain::ids::{ColumnId, ProjectId, UserId};
use uuid::Uuid;

use super::{Append, Placed};

/// Something in the log that a command depends on, or changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Thing {
    Command(UserId, Uuid),
    Aggregate(Uuid),
    /// How many tasks are in the column.
    Column(Option<ProjectId>, ColumnId),
    /// A place in the column.
    Rank(Option<ProjectId>, ColumnId, String),
    /// What waits for what, and what is a part of what.
    Links,
}

/// What a command has to do with the log.
#[derive(Default)]
struct Footprint {
    /// No other command of the batch may have it.
    alone: Vec<Thing>,
    /// Others may depend on it too, and none may change it.
    reads: Vec<Thing>,
    /// Others may change it too, and none may depend on it.
    writes: Vec<Thing>,
}

impl Footprint {
    fn of(append: &Append) -> Self {
        let mut this = Self::default();
        this.alone.extend([Thing::Command(append.actor, append.command_id), Thing::Aggregate(append.aggregate)]);
        this.writes.push(Thing::Aggregate(append.aggregate));
        if append.guard.is_some() {
            this.reads.extend(append.project.map(|project| Thing::Aggregate(project.0)));
        }
        this.reads.extend(append.teams.iter().map(|(team, _)| Thing::Aggregate(team.0)));
        this.reads.extend(append.empty_column.map(|column| Thing::Column(append.project, column)));
        if let Some(Placed { place, wip_limit }) = &append.place {
            let column = Thing::Column(append.project, place.column);
            this.alone.push(Thing::Rank(append.project, place.column, place.rank.as_str().to_owned()));
            this.reads.extend(wip_limit.map(|_| column.clone()));
            this.writes.push(column);
        }
        this.alone.extend(append.link.map(|_| Thing::Links));
        this
    }
}

/// Commands that have nothing to do with each other.
#[derive(Default)]
struct Batch {
    alone: HashSet<Thing>,
    read: HashSet<Thing>,
    written: HashSet<Thing>,
}

impl Batch {
    /// Whether the command joins.
    fn add(&mut self, append: &Append) -> bool {
        let new = Footprint::of(append);
        let apart = !new.alone.iter().any(|thing| self.alone.contains(thing))
            && !new.reads.iter().any(|thing| self.written.contains(thing))
            && !new.writes.iter().any(|thing| self.read.contains(thing));
        if apart {
            self.alone.extend(new.alone);
            self.read.extend(new.reads);
            self.written.extend(new.writes);
        }
        apart
    }
}

/// Takes the first command, and of those behind it what has nothing to do with any that is taken. The others keep their order, and so
/// each is the first some time.
pub fn take<T>(waiting: &mut VecDeque<T>, most: usize, append: impl Fn(&T) -> &Append) -> Vec<T> {
    let mut batch = Batch::default();
    let (mut taken, mut left) = (Vec::new(), VecDeque::new());
    while taken.len() < most
        && let Some(next) = waiting.pop_front()
    {
        if batch.add(append(&next)) {
            taken.push(next);
        } else {
            left.push_back(next);
        }
    }
    left.append(waiting);
    *waiting = left;
    taken
}

#[cfg(test)]
mod tests {
    use taskfold_domain::Rank;
    use taskfold_domain::ids::{TaskId, TeamId};
    use taskfold_domain::task::beside::{Link, Place, PlaceState};

    use super::super::Seen;
    use super::*;

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    const PROJECT: u128 = 1;
    const SEEN: Seen = Seen { version: 7, command: None };

    /// Of this aggregate in the one project, under a command id of its own.
    fn on(aggregate: u128) -> Append {
        let project = ProjectId(id(PROJECT));
        Append {
            guard: Some(SEEN),
            ..Append::new("task", id(aggregate), Some(project), UserId(id(2)), id(1000 + aggregate))
        }
    }

    fn placed(aggregate: u128, column: u128, rank: i64, wip_limit: Option<u32>) -> Append {
        let at = chrono::DateTime::from_timestamp(rank, 0).expect("a time");
        let rank = Rank::at_end(at.into(), 0);
        let place = Place { column: ColumnId(id(column)), rank, state: PlaceState::OnBoard };
        let place = Placed { place, wip_limit };
        Append { place: Some(place), ..on(aggregate) }
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
    fn commands_on_tasks_of_one_project_go_together() {
        assert_eq!(batches([on(10), on(11), placed(12, 5, 1, None), placed(13, 5, 2, None)]), [[10, 11, 12, 13]]);
    }

    #[test]
    fn two_on_one_aggregate_or_under_one_command_id_do_not() {
        assert_eq!(batches([on(10), on(10), on(11)]), [vec![10, 11], vec![10]]);
        let same = Append { command_id: id(1010), ..on(11) };
        assert_eq!(batches([on(10), same, on(12)]), [vec![10, 12], vec![11]]);
    }

    #[test]
    fn what_changes_a_project_or_a_team_goes_apart_from_what_was_decided_on_it() {
        let project = Append { guard: None, ..on(PROJECT) };
        assert_eq!(batches([on(10), project.clone(), on(11)]), [vec![10, 11], vec![PROJECT]]);
        assert_eq!(batches([project, on(10), on(11)]), [vec![PROJECT], vec![10, 11]]);
        let team = Append::new("team", id(3), None, UserId(id(2)), id(5));
        let decided_on_it = Append { teams: vec![(TeamId(id(3)), SEEN)], ..on(10) };
        assert_eq!(batches([decided_on_it, team, on(11)]), [vec![10, 11], vec![3]]);
    }

    #[test]
    fn a_count_is_taken_without_others_that_change_it() {
        let limited = [placed(10, 5, 1, Some(3)), placed(11, 5, 2, Some(3)), placed(12, 6, 3, None)];
        assert_eq!(batches(limited), [vec![10, 12], vec![11]]);
        let empties = Append { empty_column: Some(ColumnId(id(5))), ..on(PROJECT) };
        assert_eq!(batches([Append { guard: None, ..empties }, placed(10, 5, 1, None)]), [vec![PROJECT], vec![10]]);
    }

    #[test]
    fn one_rank_is_for_one_and_links_are_looked_at_one_by_one() {
        assert_eq!(batches([placed(10, 5, 1, None), placed(11, 5, 1, None)]), [[10], [11]]);
        let linked = |task: u128, to: u128| Append { link: Some(Link::WaitsFor(TaskId(id(to)))), ..on(task) };
        assert_eq!(batches([linked(10, 11), linked(11, 10), on(12)]), [vec![10, 12], vec![11]]);
    }
}
