//! Labels of a project.

use taskfold_domain::limits::LABELS_PER_PROJECT;

use crate::fixtures::project::*;

fn adds(id: Option<LabelId>, name: &str) -> Request {
    by(ADMIN, ProjectCommand::AddLabel(AddLabel { id, name: text(name), color: text("#0a7c66") }))
}

fn edits(change: LabelPatch) -> Request {
    by(ADMIN, ProjectCommand::EditLabel(EditLabel { label_id: BUG, change }))
}

fn label_added(id: LabelId, name: &str) -> ProjectEvent {
    let label = Label { id, name: name.to_owned(), color: "#0a7c66".to_owned() };
    ProjectEvent::LabelAdded(LabelAdded { label: added(label) })
}

fn label_removed() -> ProjectEvent {
    ProjectEvent::LabelRemoved(LabelRemoved { label: removed(bug()) })
}

#[test]
fn an_admin_adds_a_label_whose_name_may_be_empty() {
    for name in ["idea", ""] {
        given(a_project()).when(adds(Some(id(1)), name)).then_expect_events(vec![label_added(id(1), name)]);
    }
}

#[test]
fn a_new_label_without_an_id_gets_the_one_that_came_with_the_command() {
    given(a_project()).when(adds(None, "idea")).then_expect_events(vec![label_added(LabelId(FRESH), "idea")]);
}

#[test]
fn two_labels_cannot_have_the_same_id() {
    given(a_project()).when(adds(Some(BUG), "idea")).then_expect_error(Refusal::AlreadyExists);
}

#[test]
fn a_project_has_a_maximum_of_labels() {
    let many = (1..LABELS_PER_PROJECT).map(|n| label_added(id(100 + n as u128), "idea"));
    given(a_project_with(many))
        .when(adds(None, "one more"))
        .then_expect_error(Refusal::invalid("", "a project has at most 500 labels"));
}

#[test]
fn an_admin_changes_the_name_or_the_color_of_a_label() {
    let cases = [
        (LabelPatch { name: Some(text("fault")), color: None }, Label { name: "fault".to_owned(), ..bug() }),
        (LabelPatch { name: None, color: Some(text("blue")) }, Label { color: "blue".to_owned(), ..bug() }),
    ];
    for (change, to) in cases {
        given(a_project())
            .when(edits(change))
            .then_expect_events(vec![ProjectEvent::LabelChanged(LabelChanged { label: Delta::new(bug(), to) })]);
    }
}

#[test]
fn a_label_that_is_edited_to_what_it_is_stays_as_it_is() {
    for change in [LabelPatch::default(), LabelPatch { name: Some(text("bug")), color: Some(text("red")) }] {
        given(a_project()).when(edits(change)).then_expect_events(vec![]);
    }
}

#[test]
fn an_admin_removes_a_label() {
    given(a_project())
        .when(by(ADMIN, ProjectCommand::RemoveLabel(LabelRef { label_id: BUG })))
        .then_expect_events(vec![label_removed()]);
}

#[test]
fn a_label_that_is_not_there_is_not_found() {
    let commands = [
        ProjectCommand::EditLabel(EditLabel { label_id: BUG, change: LabelPatch::default() }),
        ProjectCommand::RemoveLabel(LabelRef { label_id: BUG }),
    ];
    for command in commands {
        given(a_project_with([label_removed()])).when(by(ADMIN, command)).then_expect_error(Refusal::NotFound);
    }
}
