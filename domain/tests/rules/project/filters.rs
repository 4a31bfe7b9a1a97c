//! Filters that the members of a project share.

use taskfold_domain::limits::FILTERS_PER_PROJECT;

use crate::fixtures::project::*;

fn filter(id: FilterId) -> SavedFilter {
    SavedFilter { id, name: "Urgent".to_owned(), query: "priority=urgent".to_owned() }
}

fn filter_added(id: FilterId) -> ProjectEvent {
    ProjectEvent::FilterAdded(FilterAdded { filter: added(filter(id)) })
}

fn adds(id: Option<FilterId>) -> Request {
    by(MEMBER, ProjectCommand::AddFilter(AddFilter { id, name: text("Urgent"), query: text("priority=urgent") }))
}

fn edits(change: FilterPatch) -> Request {
    by(MEMBER, ProjectCommand::EditFilter(EditFilter { filter_id: FILTER, change }))
}

#[test]
fn a_member_adds_a_filter_for_everybody() {
    given(a_project()).when(adds(Some(FILTER))).then_expect_events(vec![filter_added(FILTER)]);
}

#[test]
fn a_new_filter_without_an_id_gets_the_one_that_came_with_the_command() {
    given(a_project()).when(adds(None)).then_expect_events(vec![filter_added(FilterId(FRESH))]);
}

#[test]
fn two_filters_cannot_have_the_same_id() {
    given(a_project_with([filter_added(FILTER)])).when(adds(Some(FILTER))).then_expect_error(Refusal::AlreadyExists);
}

#[test]
fn a_project_has_a_maximum_of_filters() {
    let many = (0..FILTERS_PER_PROJECT).map(|n| filter_added(id(n as u128)));
    given(a_project_with(many))
        .when(adds(None))
        .then_expect_error(Refusal::invalid("", "a project has at most 100 filters"));
}

#[test]
fn a_member_changes_the_name_or_the_query_of_a_filter() {
    let cases = [
        (
            FilterPatch { name: Some(text("Now")), query: None },
            SavedFilter { name: "Now".to_owned(), ..filter(FILTER) },
        ),
        (FilterPatch { name: None, query: Some(text("")) }, SavedFilter { query: String::new(), ..filter(FILTER) }),
    ];
    for (change, to) in cases {
        given(a_project_with([filter_added(FILTER)])).when(edits(change)).then_expect_events(vec![
            ProjectEvent::FilterChanged(FilterChanged { filter: Delta::new(filter(FILTER), to) }),
        ]);
    }
}

#[test]
fn a_filter_that_is_edited_to_what_it_is_stays_as_it_is() {
    let same = FilterPatch { name: Some(text("Urgent")), query: Some(text("priority=urgent")) };
    for change in [FilterPatch::default(), same] {
        given(a_project_with([filter_added(FILTER)])).when(edits(change)).then_expect_events(vec![]);
    }
}

#[test]
fn a_member_removes_a_filter() {
    given(a_project_with([filter_added(FILTER)]))
        .when(by(MEMBER, ProjectCommand::RemoveFilter(FilterRef { filter_id: FILTER })))
        .then_expect_events(vec![ProjectEvent::FilterRemoved(FilterRemoved { filter: removed(filter(FILTER)) })]);
}

#[test]
fn a_filter_that_is_not_there_is_not_found() {
    let commands = [
        ProjectCommand::EditFilter(EditFilter { filter_id: FILTER, change: FilterPatch::default() }),
        ProjectCommand::RemoveFilter(FilterRef { filter_id: FILTER }),
    ];
    for command in commands {
        given(a_project()).when(by(MEMBER, command)).then_expect_error(Refusal::NotFound);
    }
}
