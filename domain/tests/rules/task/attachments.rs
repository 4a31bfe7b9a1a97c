//! Files on a task, whose bytes an upload has stored already.

use taskfold_domain::limits::ATTACHMENTS_PER_TASK;

use crate::fixtures::task::*;

fn attaches(actor: UserId) -> Request {
    let file = file();
    let command = AttachFile {
        id: file.id,
        file_name: text(file.file_name),
        content_type: text(file.content_type),
        size: file.size.try_into().unwrap(),
        sha256: text(file.sha256),
    };
    by(actor, TaskCommand::Attach(command))
}

fn removes(actor: UserId) -> Request {
    by(actor, TaskCommand::RemoveAttachment(RemoveAttachment { attachment_id: FILE }))
}

fn detached(attachment: Attachment) -> TaskEvent {
    TaskEvent::AttachmentRemoved(AttachmentRemoved { attachment: removed(attachment) })
}

#[test]
fn a_file_names_the_person_who_attached_it() {
    given(a_task()).when(attaches(ADMIN)).then_expect_events(vec![attached(Attachment { author_id: ADMIN, ..file() })]);
}

#[test]
fn the_id_of_a_file_is_given_out_once_even_when_the_file_is_removed() {
    for task in [a_task_with([attached(file())]), a_task_with([attached(file()), detached(file())])] {
        given(task).when(attaches(MEMBER)).then_expect_error(Refusal::AlreadyExists);
    }
}

#[test]
fn a_task_has_a_maximum_of_files_at_one_time() {
    let many = |count| {
        let before = [attached(file()), detached(file())].into_iter();
        a_task_with(before.chain((0..count).map(|n| attached(Attachment { id: id(n as u128), ..file() }))))
    };
    let attaches_another = || {
        let mut request = attaches(MEMBER);
        if let TaskCommand::Attach(file) = &mut request.command {
            file.id = id(1000);
        }
        request
    };
    given(many(ATTACHMENTS_PER_TASK))
        .when(attaches_another())
        .then_expect_error(Refusal::invalid("", "a task has at most 500 attachments"));
    given(many(ATTACHMENTS_PER_TASK - 1))
        .when(attaches_another())
        .then_expect_events(vec![attached(Attachment { id: id(1000), ..file() })]);
}

#[test]
fn the_uploader_or_an_admin_removes_a_file() {
    for actor in [MEMBER, ADMIN, OWNER] {
        given(a_task_with([attached(file())])).when(removes(actor)).then_expect_events(vec![detached(file())]);
    }
}

#[test]
fn a_member_cannot_remove_the_file_of_somebody_else() {
    let of_owner = Attachment { author_id: OWNER, ..file() };
    given(a_task_with([attached(of_owner.clone())]))
        .when(removes(MEMBER))
        .then_expect_error(Refusal::Forbidden { needs: Role::Admin });
    given(a_task_with([attached(of_owner.clone())]))
        .when(removes(MEMBER).with(|facts| facts.origin = Origin::Import))
        .then_expect_events(vec![detached(of_owner)]);
}

#[test]
fn a_file_is_removed_once() {
    given(a_task_with([attached(file()), detached(file())])).when(removes(MEMBER)).then_expect_events(vec![]);
    given(a_task()).when(removes(MEMBER)).then_expect_error(Refusal::NotFound);
}
