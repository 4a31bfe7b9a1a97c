//! Commands and events as JSON: what is absent, null, unknown or out of bounds.
//!
//! That every event is read back as it was written is checked wherever the rules fold events.

use serde_json::{Value, json};
use taskfold_domain::{ProjectCommand, TaskCommand, TaskEvent};

use crate::fixtures::project::{ColumnPatch, EditColumn};
use crate::fixtures::task::*;

fn task_command(name: &str, data: Value) -> Option<TaskCommand> {
    serde_json::from_value(json!({"type": name, "data": data})).ok()
}

fn project_command(name: &str, data: Value) -> Option<ProjectCommand> {
    serde_json::from_value(json!({"type": name, "data": data})).ok()
}

#[test]
fn an_absent_field_stays_and_one_of_null_is_cleared() {
    let edit = |edit| Some(TaskCommand::Edit(Box::new(edit)));
    assert_eq!(task_command("task.edit", json!({})), edit(EditTask::default()));
    assert_eq!(
        task_command("task.edit", json!({"due_at": null, "parent_id": null})),
        edit(EditTask { due_at: Some(None), parent_id: Some(None), ..EditTask::default() })
    );
    let column = |change| Some(ProjectCommand::EditColumn(EditColumn { column_id: TODO, change }));
    assert_eq!(
        project_command("project.edit_column", json!({"column_id": TODO, "after": null, "wip_limit": null})),
        column(ColumnPatch { after: Some(None), wip_limit: Some(None), ..ColumnPatch::default() })
    );
    assert_eq!(project_command("project.edit_column", json!({"column_id": TODO})), column(ColumnPatch::default()));
}

#[test]
fn a_field_that_cannot_be_cleared_is_not_null() {
    assert_eq!(task_command("task.edit", json!({"title": null})), None);
    let item = json!({"checklist_id": CHECKLIST, "item_id": ITEM});
    for field in ["text", "done"] {
        let mut change = item.clone();
        change[field] = Value::Null;
        assert_eq!(task_command("task.change_checklist_item", change), None, "{field}");
    }
    assert_eq!(project_command("project.edit", json!({"name": null})), None);
    for field in ["name", "wip_policy"] {
        assert_eq!(project_command("project.edit_column", json!({"column_id": TODO, field: null})), None, "{field}");
    }
    for field in ["name", "color"] {
        assert_eq!(project_command("project.edit_label", json!({"label_id": BUG, field: null})), None, "{field}");
    }
    for field in ["name", "query"] {
        assert_eq!(project_command("project.edit_filter", json!({"filter_id": FILTER, field: null})), None, "{field}");
    }
}

#[test]
fn an_unknown_field_or_command_is_refused() {
    assert_eq!(task_command("task.start", json!({"titel": "T"})), None);
    assert_eq!(task_command("task.edit", json!({"titel": "T"})), None);
    assert_eq!(task_command("task.vanish", json!({})), None);
    assert_eq!(project_command("project.edit", json!({"nmae": "P"})), None);
    assert_eq!(project_command("project.edit_column", json!({"column_id": TODO, "nmae": "Next"})), None);
    assert_eq!(project_command("project.edit_label", json!({"label_id": BUG, "nmae": "fault"})), None);
}

#[test]
fn texts_and_numbers_have_bounds() {
    let title = |title: String| task_command("task.create", json!({"title": title})).is_some();
    assert!(title("x".to_owned()) && title("ü".repeat(500)));
    assert!(!title(String::new()) && !title("  \n".to_owned()) && !title("x".repeat(501)) && !title("a\0b".to_owned()));
    let percent = |percent: i64| task_command("task.progress", json!({"percent": percent})).is_some();
    assert!(percent(0) && percent(100) && !percent(-1) && !percent(101));
    let limit =
        |limit: i64| project_command("project.edit_column", json!({"column_id": TODO, "wip_limit": limit})).is_some();
    assert!(limit(1) && limit(10_000) && !limit(0) && !limit(10_001));
    let color = |color: &str| project_command("project.add_label", json!({"name": "", "color": color})).is_some();
    assert!(color("#0a7c66") && color("dark-red") && !color("#0a7c6") && !color("red;") && !color(""));
    let emoji = |emoji: &str| task_command("task.react", json!({"comment_id": COMMENT, "emoji": emoji})).is_some();
    assert!(emoji("👍🏽") && emoji("+1") && !emoji("") && !emoji("a b") && !emoji(&"👍".repeat(9)));
    let comment = |text: String| task_command("task.comment", json!({"text": text})).is_some();
    assert!(comment("x".repeat(16 * 1024)) && !comment("ü".repeat(16 * 1024)) && !comment(" ".to_owned()));
}

/// An upload stores the bytes under another id each time: the same file sent again is the same command.
#[test]
fn the_fingerprint_of_a_file_leaves_out_its_id() {
    let attach = TaskCommand::Attach(AttachFile {
        id: FILE,
        file_name: text("a.txt"),
        content_type: text("text/plain"),
        size: 3.try_into().unwrap(),
        sha256: text("0".repeat(64)),
    });
    let written = serde_json::to_value(attach).unwrap();
    let data = json!({"file_name": "a.txt", "content_type": "text/plain", "size": 3, "sha256": "0".repeat(64)});
    assert_eq!(written, json!({"type": "task.attach", "data": data}));
}

#[test]
fn an_event_names_the_values_before_and_after_of_what_changes_alone() {
    let within =
        Moved { column_id: None, rank: Delta::new(Rank::from_stored("a".into()), Rank::from_stored("b".into())) };
    let cases = [
        (
            TaskEvent::Renamed(Renamed { title: changed_text("T", "U") }),
            json!({"type": "task.renamed", "changes": {"title": {"from": "T", "to": "U"}}}),
        ),
        (TaskEvent::Moved(within), json!({"type": "task.moved", "changes": {"rank": {"from": "a", "to": "b"}}})),
        (
            TaskEvent::Started(runs(Status::Todo, 0)),
            json!({"type": "task.started", "changes": {
                "status": {"from": "todo", "to": "running"},
                "running_since": {"from": null, "to": at(0)},
            }}),
        ),
        (
            commented(comment()),
            json!({"type": "task.commented", "changes": {"comment": {
                "from": null,
                "to": {"id": COMMENT, "author_id": MEMBER, "text": "first", "mentions": []},
            }}}),
        ),
    ];
    for (event, json) in cases {
        assert_eq!(serde_json::to_value(event).unwrap(), json);
    }
}
