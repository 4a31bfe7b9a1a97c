//! A walk of random commands.

use super::*;

/// Whatever is asked in whatever order: events read back as they were written, folding them again gives the same task,
/// and a status says the same as the clock that runs with it.
#[test]
fn random_commands_keep_the_invariants() {
    let project = Arc::new(board());
    let mut seed = 42_u64;
    let mut next = move |n: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % n
    };
    for _ in 0..200 {
        let mut task = Task::default();
        let mut log: Vec<TaskEvent> = Vec::new();
        for second in 0..60 {
            let kinds = [
                "create",
                "start",
                "pause",
                "resume",
                "complete",
                "cancel",
                "fail",
                "reopen",
                "archive",
                "unarchive",
                "delete",
                "restore",
                "comment",
                "attach",
                "add_checklist",
                "move",
                "edit",
                "assign",
                "unassign",
                "progress",
                "watch",
                "unwatch",
            ];
            let kind = if second == 0 { "create" } else { kinds[usize::try_from(next(kinds.len() as u64)).unwrap()] };
            let data = match kind {
                "create" | "add_checklist" => json!({"title": format!("t{second}")}),
                "comment" => json!({"text": "c"}),
                "attach" => attach(id(2000 + u128::try_from(second).unwrap())),
                "move" => json!({"column_id": id(11 + u128::from(next(3)))}),
                "edit" => json!({"title": format!("t{}", next(3)), "due_at": null}),
                "assign" | "unassign" => json!({"user_id": if next(2) == 0 { OWNER } else { MEMBER }}),
                "progress" => json!({"percent": next(101)}),
                _ => json!({}),
            };
            let context = task::Context {
                actor: MEMBER,
                at: at(second),
                project: Arc::clone(&project),
                rank: None,
                end: Rank::at_end(at(second), 7),
                mentions: vec![],
                fresh_id: id(1000 + u128::try_from(second).unwrap()),
                origin: Origin::Live,
                teams: vec![],
                other: None,
                comment: None,
            };
            let command = task_command(&format!("task.{kind}"), data);
            for event in task::decide(&task, &command, &context).unwrap_or_default() {
                let json = serde_json::to_string(&event).unwrap();
                assert_eq!(serde_json::from_str::<TaskEvent>(&json).unwrap(), event, "{json}");
                task.apply(&event);
                log.push(event);
            }
            let mut again = Task::default();
            log.iter().for_each(|event| again.apply(event));
            assert_eq!(again, task);
            assert_eq!(task.version, log.len() as u64);
            if let Situation::Present(card) = &task.situation {
                assert_eq!(card.fields.status == Status::Running, card.fields.running_since.is_some(), "{card:?}");
            }
        }
    }
}
