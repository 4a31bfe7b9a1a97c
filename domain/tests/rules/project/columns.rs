//! Columns: order, limits, archiving, removal.

use taskfold_domain::limits::COLUMNS_PER_PROJECT;

use crate::fixtures::project::*;

fn add() -> AddColumn {
    AddColumn {
        id: Some(id(1)),
        name: text("Review"),
        category: Category::InProgress,
        wip_limit: None,
        wip_policy: WipPolicy::Advisory,
        after: None,
    }
}

fn adds(add: AddColumn) -> Request {
    by(ADMIN, ProjectCommand::AddColumn(add))
}

fn edits(column_id: ColumnId, change: ColumnPatch) -> Request {
    by(ADMIN, ProjectCommand::EditColumn(EditColumn { column_id, change }))
}

fn moves(column_id: ColumnId, after: Option<ColumnId>) -> Request {
    edits(column_id, ColumnPatch { after: Some(after), ..ColumnPatch::default() })
}

/// Ids of the columns in their order, after one more command.
fn order_after(request: Request) -> Vec<ColumnId> {
    let events = given(a_project()).when(request).inspect_result().unwrap();
    project_with(events).board().unwrap().fields.columns.iter().map(|column| column.id).collect()
}

/// Rank between two columns of the project, by their numbers.
fn between(lower: Option<u16>, upper: Option<u16>) -> Rank {
    let (lower, upper) = (lower.map(column_rank), upper.map(column_rank));
    Rank::between(lower.as_ref(), upper.as_ref(), at(NOW), 7).unwrap()
}

fn review(id: ColumnId, rank: Rank) -> Column {
    Column { rank, ..column(id, "Review", Category::InProgress, 1) }
}

fn todo() -> Column {
    column(TODO, "To do", Category::Todo, 1)
}

#[test]
fn a_new_column_is_the_last_one_unless_it_says_after_which_it_comes() {
    let cases = [
        (None, between(Some(3), None), [TODO, DOING, DONE, id(1)]),
        (Some(None), between(None, Some(1)), [id(1), TODO, DOING, DONE]),
        (Some(Some(TODO)), between(Some(1), Some(2)), [TODO, id(1), DOING, DONE]),
        (Some(Some(DONE)), between(Some(3), None), [TODO, DOING, DONE, id(1)]),
    ];
    for (after, rank, order) in cases {
        let request = || adds(AddColumn { after, ..add() });
        given(a_project()).when(request()).then_expect_events(vec![column_added(review(id(1), rank))]);
        assert_eq!(order_after(request()), order);
    }
}

#[test]
fn a_new_column_without_an_id_gets_the_one_that_came_with_the_command() {
    let new = review(ColumnId(FRESH), between(Some(3), None));
    given(a_project()).when(adds(AddColumn { id: None, ..add() })).then_expect_events(vec![column_added(new)]);
}

#[test]
fn a_new_column_may_have_a_limit_at_once() {
    let limited = AddColumn { wip_limit: Some(number(3)), wip_policy: WipPolicy::Enforced, ..add() };
    let new = review(id(1), between(Some(3), None));
    given(a_project()).when(adds(limited)).then_expect_events(vec![column_added(Column {
        wip_limit: Some(3),
        wip_policy: WipPolicy::Enforced,
        ..new
    })]);
}

#[test]
fn two_columns_cannot_have_the_same_id() {
    given(a_project()).when(adds(AddColumn { id: Some(TODO), ..add() })).then_expect_error(Refusal::AlreadyExists);
}

#[test]
fn a_project_has_a_maximum_of_columns() {
    let many = (3..COLUMNS_PER_PROJECT).map(|n| review(id(100 + n as u128), column_rank(n as u16 + 1)));
    given(a_project_with(many.map(column_added)))
        .when(adds(add()))
        .then_expect_error(Refusal::invalid("", "a project has at most 50 columns"));
}

#[test]
fn a_new_column_cannot_come_after_one_that_is_not_there() {
    given(a_project())
        .when(adds(AddColumn { after: Some(Some(id(2))), ..add() }))
        .then_expect_error(Refusal::invalid("/after", "not another column of the project"));
}

#[test]
fn nothing_fits_between_columns_of_the_same_rank() {
    let same = column_added(review(id(2), column_rank(1)));
    given(a_project_with([same]))
        .when(adds(AddColumn { after: Some(Some(TODO)), ..add() }))
        .then_expect_error(Refusal::invalid("/after", "nothing fits between these columns"));
}

#[test]
fn an_admin_renames_moves_and_limits_a_column_at_once() {
    let change = ColumnPatch {
        name: Some(text("Finished")),
        wip_limit: Some(Some(number(5))),
        wip_policy: Some(WipPolicy::Enforced),
        after: Some(None),
    };
    let done = || ColumnDiff::of(DONE);
    let named = |name: &str| ColumnDiff { name: Some(name.to_owned()), ..done() };
    let ranked = |rank| ColumnDiff { rank: Some(rank), ..done() };
    let limited = |limit, policy| ColumnDiff { wip_limit: Some(limit), wip_policy: Some(policy), ..done() };
    given(a_project()).when(edits(DONE, change)).then_expect_events(vec![
        ProjectEvent::ColumnRenamed(ColumnChanged { column: Delta::new(named("Done"), named("Finished")) }),
        ProjectEvent::ColumnMoved(ColumnChanged {
            column: Delta::new(ranked(column_rank(3)), ranked(between(None, Some(1)))),
        }),
        ProjectEvent::WipLimitSet(ColumnChanged {
            column: Delta::new(limited(None, WipPolicy::Advisory), limited(Some(5), WipPolicy::Enforced)),
        }),
    ]);
}

#[test]
fn a_limit_of_null_is_none() {
    let limited = |limit| {
        let policy = Some(WipPolicy::Advisory);
        ColumnDiff { wip_limit: Some(limit), wip_policy: policy, ..ColumnDiff::of(TODO) }
    };
    let set = |from, to| ProjectEvent::WipLimitSet(ColumnChanged { column: Delta::new(limited(from), limited(to)) });
    given(a_project_with([set(None, Some(2))]))
        .when(edits(TODO, ColumnPatch { wip_limit: Some(None), ..ColumnPatch::default() }))
        .then_expect_events(vec![set(Some(2), None)]);
}

#[test]
fn columns_are_in_the_order_in_which_they_are_moved() {
    let cases = [
        (moves(DONE, None), [DONE, TODO, DOING]),
        (moves(DONE, Some(TODO)), [TODO, DONE, DOING]),
        (moves(TODO, Some(DOING)), [DOING, TODO, DONE]),
        (moves(TODO, Some(DONE)), [DOING, DONE, TODO]),
    ];
    for (request, order) in cases {
        assert_eq!(order_after(request), order);
    }
}

#[test]
fn a_column_that_is_edited_to_what_it_is_stays_as_it_is() {
    let same = ColumnPatch {
        name: Some(text("Doing")),
        wip_limit: Some(None),
        wip_policy: Some(WipPolicy::Advisory),
        after: Some(Some(TODO)),
    };
    for change in [same, ColumnPatch::default()] {
        given(a_project()).when(edits(DOING, change)).then_expect_events(vec![]);
    }
}

#[test]
fn a_column_cannot_come_after_itself_or_one_that_is_not_there() {
    for after in [DOING, id(2)] {
        given(a_project())
            .when(moves(DOING, Some(after)))
            .then_expect_error(Refusal::invalid("/after", "not another column of the project"));
    }
}

#[test]
fn an_admin_archives_a_column_once() {
    let archive = || by(ADMIN, ProjectCommand::ArchiveColumn(ColumnRef { column_id: TODO }));
    given(a_project()).when(archive()).then_expect_events(vec![column_archived(TODO)]);
    given(a_project_with([column_archived(TODO)])).when(archive()).then_expect_events(vec![]);
}

#[test]
fn an_admin_restores_an_archived_column() {
    let restore = || by(ADMIN, ProjectCommand::RestoreColumn(ColumnRef { column_id: TODO }));
    let diff = |archived| ColumnDiff { archived: Some(archived), ..ColumnDiff::of(TODO) };
    given(a_project_with([column_archived(TODO)])).when(restore()).then_expect_events(vec![
        ProjectEvent::ColumnRestored(ColumnChanged { column: Delta::new(diff(true), diff(false)) }),
    ]);
    given(a_project()).when(restore()).then_expect_events(vec![]);
}

/// The append refuses it with `Refusal::ColumnNotEmpty` while tasks are in the column: it alone sees all tasks at once.
#[test]
fn an_admin_removes_a_column_that_must_be_empty() {
    let remove = ProjectCommand::RemoveColumn(ColumnRef { column_id: TODO });
    assert_eq!(remove.required_facts().empty_column, Some(TODO));
    given(a_project()).when(by(ADMIN, remove)).then_expect_events(vec![column_removed(todo())]);
}

#[test]
fn a_column_that_is_not_there_is_not_found() {
    let column = ColumnRef { column_id: TODO };
    let commands = [
        ProjectCommand::EditColumn(EditColumn { column_id: TODO, change: ColumnPatch::default() }),
        ProjectCommand::ArchiveColumn(column),
        ProjectCommand::RestoreColumn(column),
        ProjectCommand::RemoveColumn(column),
    ];
    for command in commands {
        given(a_project_with([column_removed(todo())])).when(by(ADMIN, command)).then_expect_error(Refusal::NotFound);
    }
}
