//! A walk of random commands.

use taskfold_domain::task::Situation;

use crate::fixtures::task::*;

/// Random numbers, the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn one_of<T: Copy, const N: usize>(&mut self, of: [T; N]) -> T {
        of[usize::try_from(self.below(N as u64)).unwrap()]
    }
}

fn create() -> TaskCommand {
    TaskCommand::Create(Box::new(CreateTask::new(text("T"))))
}

/// A random command; a file that it attaches has this id.
fn any(dice: &mut Dice, file_id: AttachmentId) -> TaskCommand {
    let none = Empty {};
    match dice.below(22) {
        0 => create(),
        1 => TaskCommand::Start(none),
        2 => TaskCommand::Pause(none),
        3 => TaskCommand::Resume(none),
        4 => TaskCommand::Complete(none),
        5 => TaskCommand::Cancel(WithReason { reason: Some(text("why")) }),
        6 => TaskCommand::Fail(WithReason::default()),
        7 => TaskCommand::Reopen(none),
        8 => TaskCommand::Archive(none),
        9 => TaskCommand::Unarchive(none),
        10 => TaskCommand::Delete(none),
        11 => TaskCommand::Restore(none),
        12 => TaskCommand::Comment(AddComment { id: None, text: text("c") }),
        13 => TaskCommand::Attach(AttachFile {
            id: file_id,
            file_name: text("a.txt"),
            content_type: text("text/plain"),
            size: 3.try_into().unwrap(),
            sha256: text("0".repeat(64)),
        }),
        14 => TaskCommand::AddChecklist(AddChecklist { id: None, title: text("Steps") }),
        15 => TaskCommand::Move(MoveTask { column_id: dice.one_of([TODO, DOING, DONE]), after: None, before: None }),
        16 => TaskCommand::Edit(Box::new(EditTask {
            title: Some(text(dice.one_of(["T", "U", "V"]))),
            due_at: Some(None),
            ..EditTask::default()
        })),
        17 => TaskCommand::Assign(Assignee { user_id: dice.one_of([OWNER, MEMBER]) }),
        18 => TaskCommand::Unassign(Assignee { user_id: dice.one_of([OWNER, MEMBER]) }),
        19 => TaskCommand::Progress(ProgressTask { percent: number(i64::try_from(dice.below(101)).unwrap()) }),
        20 => TaskCommand::Watch(none),
        21.. => TaskCommand::Unwatch(none),
    }
}

/// Whatever is asked in whatever order: each event follows from those before it and is read back as it was written,
/// folding the events again gives the same task, and a status says the same as the clock that runs with it.
#[test]
fn random_commands_keep_the_invariants() {
    let project = project_with([]);
    let mut dice = Dice(42);
    for _ in 0..200 {
        let mut task = Task::default();
        let mut log: Vec<TaskEvent> = Vec::new();
        for second in 0..60 {
            let fresh: Uuid = id(u128::try_from(second).unwrap());
            let command = if second == 0 { create() } else { any(&mut dice, fresh.into()) };
            let request = by(MEMBER, command).with(|facts| {
                facts.at = at(second);
                facts.end = rank(second);
                facts.fresh_id = fresh;
                facts.project = Arc::clone(&project);
            });
            for event in request.decide(&task).unwrap_or_default() {
                task.apply(&event);
                log.push(event);
            }
            assert_eq!(task.version, log.len() as u64);
            if let Situation::Present(card) = &task.situation {
                assert_eq!(card.fields.status == Status::Running, card.fields.running_since.is_some(), "{card:?}");
            }
        }
        assert_eq!(folded::<Task>(&log), task);
    }
}
