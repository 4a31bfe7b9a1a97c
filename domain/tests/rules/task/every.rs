//! Rules that hold for every command on a task: who may send it, what a deleted task and an archived project still
//! accept, and which commands are edits.

use taskfold_domain::task::{Standing, allowed};

use crate::fixtures::task::*;

/// A command that changes the task of the events, with the lowest role that may send it.
struct Row {
    needs: Role,
    task: Vec<TaskEvent>,
    command: TaskCommand,
}

fn row(needs: Role, task: Vec<TaskEvent>, command: TaskCommand) -> Row {
    Row { needs, task, command }
}

impl Row {
    /// The command with the facts that it needs.
    fn by(&self, actor: UserId) -> Request {
        by(actor, self.command.clone()).with(|facts| {
            facts.comment = Some(comment());
            facts.other = Some(task_with([]));
            facts.rank = matches!(self.command, TaskCommand::Move(_)).then(|| rank(50));
        })
    }

    fn name(&self) -> &'static str {
        self.command.name().strip_prefix("task.").unwrap()
    }

    /// Nobody but the clock sends reminders.
    fn is_reminder(&self) -> bool {
        matches!(self.command, TaskCommand::Remind(_))
    }
}

/// One row for each type of command, in their order.
fn every() -> Vec<Row> {
    let none = Empty {};
    let with_comment = || a_task_with([commented(comment())]);
    let with_items = || a_task_with([checklist_added(checklist(vec![item(ITEM, "plan")]))]);
    let reaction = || Reaction { comment_id: COMMENT, user_id: MEMBER, emoji: "👍".to_owned() };
    let react = || React { comment_id: COMMENT, emoji: text("👍") };
    let waiting = Dependencies { dependency_ids: Delta::new(vec![], vec![OTHER_TASK]) };
    let due = task_of(Created { due_at: added(Some(at(NOW))), ..created() });
    let assigned = task_of(Created { assignee_ids: added(vec![OWNER]), ..created() });
    let labeled = task_of(Created { label_ids: added(vec![BUG]), ..created() });
    let running = || a_task_that_is(Status::Running);
    let member = |task, command| row(Role::Member, task, command);
    let edit = EditTask { title: Some(text("U")), ..EditTask::default() };
    let attach = AttachFile {
        id: FILE,
        file_name: text("a.txt"),
        content_type: text("text/plain"),
        size: 3.try_into().unwrap(),
        sha256: text("0".repeat(64)),
    };
    let change = ChangeItem { checklist_id: CHECKLIST, item_id: ITEM, text: None, done: Some(true), after: None };
    let add_item = AddItem { checklist_id: CHECKLIST, id: None, text: text("ship"), done: false, after: None };
    vec![
        member(vec![], TaskCommand::Create(Box::new(CreateTask::new(text("T"))))),
        member(a_task(), TaskCommand::Edit(Box::new(edit))),
        member(a_task(), TaskCommand::Move(MoveTask { column_id: DOING, after: Some(None), before: None })),
        member(a_task(), TaskCommand::Assign(Assignee { user_id: OWNER })),
        member(assigned, TaskCommand::Unassign(Assignee { user_id: OWNER })),
        member(a_task(), TaskCommand::Label(TaskLabel { label_id: BUG })),
        member(labeled, TaskCommand::Unlabel(TaskLabel { label_id: BUG })),
        member(a_task(), TaskCommand::Start(none)),
        member(running(), TaskCommand::Pause(none)),
        member(a_task_that_is(Status::Paused), TaskCommand::Resume(none)),
        member(running(), TaskCommand::Complete(none)),
        member(running(), TaskCommand::Cancel(WithReason::default())),
        member(running(), TaskCommand::Fail(WithReason::default())),
        member(a_task_that_is(Status::Completed), TaskCommand::Reopen(none)),
        member(running(), TaskCommand::Progress(ProgressTask { percent: number(50) })),
        member(a_task(), TaskCommand::Archive(none)),
        member(a_task_with([archived()]), TaskCommand::Unarchive(none)),
        member(a_task(), TaskCommand::Delete(none)),
        member(a_task_with([deleted()]), TaskCommand::Restore(none)),
        member(a_task(), TaskCommand::Comment(AddComment { id: None, text: text("second") })),
        member(with_comment(), TaskCommand::EditComment(EditComment { comment_id: COMMENT, text: text("second") })),
        member(with_comment(), TaskCommand::RemoveComment(RemoveComment { comment_id: COMMENT })),
        member(a_task(), TaskCommand::Attach(attach)),
        member(
            a_task_with([attached(file())]),
            TaskCommand::RemoveAttachment(RemoveAttachment { attachment_id: FILE }),
        ),
        member(a_task(), TaskCommand::AddChecklist(AddChecklist { id: None, title: text("Steps") })),
        member(
            with_items(),
            TaskCommand::RenameChecklist(RenameChecklist { checklist_id: CHECKLIST, title: text("Plan") }),
        ),
        member(with_items(), TaskCommand::RemoveChecklist(RemoveChecklist { checklist_id: CHECKLIST })),
        member(with_items(), TaskCommand::AddChecklistItem(add_item)),
        member(with_items(), TaskCommand::ChangeChecklistItem(change)),
        member(with_items(), TaskCommand::RemoveChecklistItem(RemoveItem { checklist_id: CHECKLIST, item_id: ITEM })),
        row(Role::Viewer, a_task(), TaskCommand::Watch(none)),
        row(Role::Viewer, a_task(), TaskCommand::Unwatch(none)),
        member(with_comment(), TaskCommand::React(react())),
        member(
            a_task_with([
                commented(comment()),
                TaskEvent::ReactionAdded(ReactionAdded { reaction: added(reaction()) }),
            ]),
            TaskCommand::Unreact(react()),
        ),
        member(a_task(), TaskCommand::AddDependency(Dependency { task_id: OTHER_TASK })),
        member(
            a_task_with([TaskEvent::DependencyAdded(waiting)]),
            TaskCommand::RemoveDependency(Dependency { task_id: OTHER_TASK }),
        ),
        row(Role::Owner, due, TaskCommand::Remind(Remind { due_at: at(NOW), stage: DueStage::DueSoon })),
    ]
}

#[test]
fn the_table_has_every_command() {
    let named: Vec<_> = every().iter().map(|row| row.command.name()).collect();
    let all: Vec<_> = TaskCommand::TABLE.iter().map(|(name, _)| *name).collect();
    assert_eq!(named, all);
}

/// Commands whose refusal for somebody with the role is a rule of its own: comments and reactions are their authors'.
const OF_THEIR_AUTHOR: [&str; 2] = ["edit_comment", "unreact"];

#[test]
fn each_role_sends_its_commands_and_a_stranger_learns_nothing() {
    for row in every() {
        for (actor, role) in EVERYBODY {
            let result = given(row.task.clone()).when(row.by(actor)).inspect_result();
            let command = &row.command;
            let needs = row.needs;
            match role {
                None => assert_eq!(result, Err(Refusal::NotFound), "{command:?}"),
                Some(role) if role < needs || row.is_reminder() => {
                    assert_eq!(result, Err(Refusal::Forbidden { needs }), "{command:?}");
                }
                Some(_) if OF_THEIR_AUTHOR.contains(&row.name()) && actor != MEMBER => {}
                Some(_) => {
                    let events = result.unwrap();
                    assert!(!events.is_empty(), "{command:?}");
                    let _: Task = folded(&[row.task.clone(), events].concat());
                }
            }
        }
    }
}

#[test]
fn a_role_through_a_team_has_the_same_permissions() {
    let renames =
        || by(STRANGER, TaskCommand::Edit(Box::new(EditTask { title: Some(text("U")), ..EditTask::default() })));
    let in_team = |role| {
        renames().with(|facts| {
            facts.project = project_with([project::team_added(role)]);
            facts.teams = vec![team::team_with([team::member_added(team::member(STRANGER))])];
        })
    };
    given(a_task())
        .when(in_team(Role::Member))
        .then_expect_events(vec![TaskEvent::Renamed(Renamed { title: changed_text("T", "U") })]);
    given(a_task()).when(in_team(Role::Viewer)).then_expect_error(Refusal::Forbidden { needs: Role::Member });
    given(a_task()).when(renames()).then_expect_error(Refusal::NotFound);
}

#[test]
fn a_task_of_an_archived_project_can_be_watched_and_nothing_else() {
    for row in every().into_iter().filter(|row| !row.is_reminder()) {
        let request = row.by(OWNER).with(|facts| facts.project = project_with([project::archived()]));
        let result = given(row.task.clone()).when(request).inspect_result();
        if ["watch", "unwatch"].contains(&row.name()) {
            assert!(result.is_ok(), "{:?}", row.command);
        } else {
            assert_eq!(result, Err(Refusal::ProjectArchived), "{:?}", row.command);
        }
    }
}

#[test]
fn a_deleted_task_says_who_deleted_it_and_when_to_all_but_its_restoration() {
    for row in every().into_iter().filter(|row| !["create", "restore"].contains(&row.name())) {
        let origin = if row.is_reminder() { Origin::Clock } else { Origin::Live };
        given([row.task.clone(), vec![deleted()]].concat())
            .when(row.by(OWNER).with(|facts| facts.origin = origin))
            .then_expect_error(Refusal::TaskDeleted { by: MEMBER, at: at(30) });
    }
}

#[test]
fn a_task_that_does_not_exist_is_not_found() {
    for row in every().into_iter().filter(|row| row.name() != "create") {
        let origin = if row.is_reminder() { Origin::Clock } else { Origin::Live };
        given(vec![]).when(row.by(OWNER).with(|facts| facts.origin = origin)).then_expect_error(Refusal::NotFound);
    }
}

#[test]
fn a_task_of_a_project_that_does_not_exist_is_not_found() {
    for row in every() {
        for origin in [Origin::Live, Origin::Import, Origin::Clock] {
            let request = row.by(OWNER).with(|facts| {
                facts.project = Arc::default();
                facts.origin = origin;
            });
            given(row.task.clone()).when(request).then_expect_error(Refusal::NotFound);
        }
    }
}

/// Its permission was checked once for the whole, and its authors may have left since, or the project be archived.
#[test]
fn an_import_needs_no_role_of_the_people_whose_history_it_replays() {
    // Of an archived project, nobody is reminded.
    let decided = |row: &Row| !OF_THEIR_AUTHOR.contains(&row.name()) && row.name() != "remind";
    for row in every().into_iter().filter(decided) {
        let request = row.by(STRANGER).with(|facts| {
            facts.project = project_with([project::archived()]);
            facts.origin = Origin::Import;
        });
        let events = given(row.task.clone()).when(request).inspect_result().unwrap();
        assert!(!events.is_empty(), "{:?}", row.command);
    }
}

/// The task of the row, but in this status, and archived or deleted only if `standing` says so.
fn task_in(row: &Row, standing: Standing) -> Task {
    let is_status = |event: &TaskEvent| {
        a_task_that_is(Status::Completed)[1..].contains(event)
            || matches!(event, TaskEvent::Paused(_) | TaskEvent::Archived(_) | TaskEvent::Deleted(_))
    };
    let mut events: Vec<_> = row.task.iter().filter(|event| !is_status(event)).cloned().collect();
    events.extend_from_slice(&a_task_that_is(standing.status)[1..]);
    events.extend(standing.archived.then(archived));
    events.extend(standing.deleted.then(deleted));
    folded(&events)
}

/// Clients show `allowed_commands` as buttons: commands that neither the role, the status, nor an archived or deleted
/// task refuses, with archive, unarchive and restore only while they change something.
#[test]
fn allowed_commands_are_those_that_are_not_refused() {
    let without_a_button = ["create", "remind", "edit_comment"];
    let archived_or_deleted = [(false, false, false), (true, false, false), (false, true, false), (false, false, true)];
    for row in every().into_iter().filter(|row| !without_a_button.contains(&row.name())) {
        for (status, (archived, deleted, project_archived)) in
            STATUSES.into_iter().flat_map(|status| archived_or_deleted.map(|which| (status, which)))
        {
            let standing = Standing { status, archived, deleted, project_archived };
            for (actor, role) in EVERYBODY.into_iter().filter_map(|(actor, role)| Some((actor, role?))) {
                let project = project_with(project_archived.then(project::archived));
                let result = row.by(actor).with(|facts| facts.project = project).decide(&task_in(&row, standing));
                let toggles = ["archive", "unarchive", "restore"].contains(&row.name());
                let accepted = result.as_ref().is_ok_and(|events| !toggles || !events.is_empty());
                let listed = allowed(role, standing).contains(&row.name());
                assert_eq!(listed, accepted, "{:?} by {role:?}, {standing:?}: {result:?}", row.command);
            }
        }
    }
}

/// Such an event causes no version conflict for a user who is editing the task.
#[test]
fn comments_reactions_files_watching_and_reminders_are_no_edits() {
    let mut no_edits = vec![];
    for row in every() {
        let mut task: Task = folded(&row.task);
        let (version, edited) = (task.version, task.edited_version);
        let origin = if row.is_reminder() { Origin::Clock } else { Origin::Live };
        let events = row.by(MEMBER).with(|facts| facts.origin = origin).decide(&task).unwrap();
        events.iter().for_each(|event| task.apply(event));
        assert_eq!(task.version, version + events.len() as u64);
        if task.edited_version == edited {
            no_edits.push(row.name());
        } else {
            assert_eq!(task.edited_version, task.version, "{:?}", row.command);
        }
    }
    let expected = [
        "comment",
        "edit_comment",
        "remove_comment",
        "attach",
        "remove_attachment",
        "watch",
        "unwatch",
        "react",
        "unreact",
        "remind",
    ];
    assert_eq!(no_edits, expected);
}
