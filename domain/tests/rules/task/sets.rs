//! Assignees and labels, which are added and removed one by one.

use taskfold_domain::limits::{ASSIGNEES_PER_TASK, LABELS_PER_TASK};

use crate::fixtures::task::*;

fn assigns(user_id: UserId) -> Request {
    by(MEMBER, TaskCommand::Assign(Assignee { user_id }))
}

fn unassigns(user_id: UserId) -> Request {
    by(MEMBER, TaskCommand::Unassign(Assignee { user_id }))
}

fn labels(label_id: LabelId) -> Request {
    by(MEMBER, TaskCommand::Label(TaskLabel { label_id }))
}

fn unlabels(label_id: LabelId) -> Request {
    by(MEMBER, TaskCommand::Unlabel(TaskLabel { label_id }))
}

fn assigned_to(users: &[UserId]) -> Vec<TaskEvent> {
    task_of(Created { assignee_ids: added(users.to_vec()), ..created() })
}

fn labeled_with(labels: &[LabelId]) -> Vec<TaskEvent> {
    task_of(Created { label_ids: added(labels.to_vec()), ..created() })
}

fn label_added(id: LabelId) -> project::ProjectEvent {
    let label = project::Label { id, name: "L".to_owned(), color: "red".to_owned() };
    project::ProjectEvent::LabelAdded(project::LabelAdded { label: added(label) })
}

fn assignees(from: &[UserId], to: &[UserId]) -> Assignees {
    Assignees { assignee_ids: Delta::new(from.to_vec(), to.to_vec()) }
}

#[test]
fn anybody_with_a_role_in_the_project_can_be_assigned() {
    for user in [VIEWER, MEMBER, ADMIN, OWNER] {
        given(a_task()).when(assigns(user)).then_expect_events(vec![TaskEvent::Assigned(assignees(&[], &[user]))]);
    }
}

#[test]
fn a_new_assignee_comes_behind_the_others() {
    given(assigned_to(&[MEMBER, VIEWER]))
        .when(assigns(OWNER))
        .then_expect_events(vec![TaskEvent::Assigned(assignees(&[MEMBER, VIEWER], &[MEMBER, VIEWER, OWNER]))]);
}

#[test]
fn somebody_who_is_assigned_already_stays_so() {
    given(assigned_to(&[MEMBER])).when(assigns(MEMBER)).then_expect_events(vec![]);
}

/// Whoever has left is not shown as assigned any more.
#[test]
fn former_members_leave_with_the_next_assignment() {
    given(assigned_to(&[STRANGER, MEMBER]))
        .when(assigns(OWNER))
        .then_expect_events(vec![TaskEvent::Assigned(assignees(&[STRANGER, MEMBER], &[MEMBER, OWNER]))]);
    given(assigned_to(&[STRANGER, MEMBER, OWNER]))
        .when(unassigns(MEMBER))
        .then_expect_events(vec![TaskEvent::Unassigned(assignees(&[STRANGER, MEMBER, OWNER], &[OWNER]))]);
    given(assigned_to(&[STRANGER]))
        .when(assigns(STRANGER))
        .then_expect_error(Refusal::invalid("/user_id", "not a member of the project"));
}

#[test]
fn a_member_who_was_just_removed_is_gone_and_no_form_error() {
    let removed = project::ProjectEvent::MemberRemoved(project::MemberRemoved {
        member: removed(project::Member { user_id: VIEWER, role: Role::Viewer }),
        left: None,
    });
    let version = project_with([]).version + 1;
    given(a_task()).when(assigns(VIEWER).with(|facts| facts.project = project_with([removed]))).then_expect_error(
        Refusal::reference_gone("/user_id", ReferenceKind::Member, VIEWER.0, Removal::AtVersion(version)),
    );
}

#[test]
fn somebody_without_a_role_in_the_project_cannot_be_assigned() {
    given(a_task())
        .when(assigns(STRANGER))
        .then_expect_error(Refusal::invalid("/user_id", "not a member of the project"));
    given(a_task())
        .when(assigns(STRANGER).with(|facts| facts.origin = Origin::Import))
        .then_expect_events(vec![TaskEvent::Assigned(assignees(&[], &[STRANGER]))]);
}

#[test]
fn somebody_with_a_role_through_a_team_can_be_assigned() {
    let request = assigns(STRANGER).with(|facts| {
        facts.project = project_with([project::team_added(Role::Viewer)]);
        facts.teams = vec![team::team_with([team::member_added(team::member(STRANGER))])];
    });
    given(a_task()).when(request).then_expect_events(vec![TaskEvent::Assigned(assignees(&[], &[STRANGER]))]);
}

#[test]
fn a_task_has_a_maximum_of_assignees() {
    let many: Vec<UserId> = (0..ASSIGNEES_PER_TASK).map(|n| id(1_000 + n as u128)).collect();
    let members = many.iter().map(|user| project::member_added(*user, Role::Member));
    let with_many = |request: Request| request.with(|facts| facts.project = project_with(members));
    given(assigned_to(&many))
        .when(with_many(assigns(OWNER)))
        .then_expect_error(Refusal::invalid("/user_id", "a task has at most 50 assignees"));
    // Former members do not count.
    let event = TaskEvent::Assigned(assignees(&many, &[OWNER]));
    given(assigned_to(&many)).when(assigns(OWNER)).then_expect_events(vec![event]);
}

#[test]
fn an_assignee_is_removed_once() {
    given(assigned_to(&[MEMBER, STRANGER]))
        .when(unassigns(STRANGER))
        .then_expect_events(vec![TaskEvent::Unassigned(assignees(&[MEMBER, STRANGER], &[MEMBER]))]);
    given(a_task()).when(unassigns(STRANGER)).then_expect_events(vec![]);
}

#[test]
fn a_label_is_put_on_a_task_once() {
    let event = |before, after| TaskEvent::Labeled(Labels { label_ids: Delta::new(before, after) });
    let two = || project_with([label_added(id(1))]);
    given(labeled_with(&[id(1)]))
        .when(labels(BUG).with(|facts| facts.project = two()))
        .then_expect_events(vec![event(vec![id(1)], vec![id(1), BUG])]);
    // One that the project has no more leaves with it.
    given(labeled_with(&[id(1)])).when(labels(BUG)).then_expect_events(vec![event(vec![id(1)], vec![BUG])]);
    given(labeled_with(&[BUG])).when(labels(BUG)).then_expect_events(vec![]);
}

#[test]
fn only_a_label_of_the_project_can_be_put_on_a_task() {
    given(a_task()).when(labels(id(1))).then_expect_error(Refusal::invalid("/label_id", "not a label of the project"));
    let removed = project::ProjectEvent::LabelRemoved(project::LabelRemoved { label: removed(project::bug()) });
    let version = project_with([]).version + 1;
    given(a_task()).when(labels(BUG).with(|facts| facts.project = project_with([removed]))).then_expect_error(
        Refusal::reference_gone("/label_id", ReferenceKind::Label, BUG.0, Removal::AtVersion(version)),
    );
}

#[test]
fn a_task_has_a_maximum_of_labels() {
    let many: Vec<LabelId> = (0..LABELS_PER_TASK).map(|n| id(1_000 + n as u128)).collect();
    let with_many = |request: Request| {
        request.with(|facts| facts.project = project_with(many.iter().map(|label| label_added(*label))))
    };
    given(labeled_with(&many))
        .when(with_many(labels(BUG)))
        .then_expect_error(Refusal::invalid("/label_id", "a task has at most 50 labels"));
    // Labels that the project has no more do not count.
    let event = Labels { label_ids: Delta::new(many.clone(), vec![BUG]) };
    given(labeled_with(&many)).when(labels(BUG)).then_expect_events(vec![TaskEvent::Labeled(event)]);
}

#[test]
fn a_label_is_taken_off_a_task_once_even_when_the_project_has_it_no_more() {
    let event = Labels { label_ids: Delta::new(vec![BUG, id(1)], vec![BUG]) };
    given(labeled_with(&[BUG, id(1)])).when(unlabels(id(1))).then_expect_events(vec![TaskEvent::Unlabeled(event)]);
    given(labeled_with(&[BUG])).when(unlabels(id(1))).then_expect_events(vec![]);
}
