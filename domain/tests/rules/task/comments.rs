//! Comments, which their authors edit, and reactions to them.

use taskfold_domain::limits::{COMMENTS_PER_TASK, REACTIONS_PER_COMMENT};

use crate::fixtures::task::*;

fn comments(id: Option<CommentId>) -> Request {
    by(VIEWER, TaskCommand::Comment(AddComment { id, text: text("first") }))
        .with(|facts| facts.project = project_with([promoted()]))
}

/// `VIEWER` becomes a member.
fn promoted() -> project::ProjectEvent {
    let member = |role| project::Member { user_id: VIEWER, role };
    let member = Delta::new(member(Role::Viewer), member(Role::Member));
    project::ProjectEvent::MemberRoleChanged(project::MemberRoleChanged { member })
}

/// An edit that is given the comment with its text, which is in the log alone.
fn edits(actor: UserId, to: &str) -> Request {
    by(actor, TaskCommand::EditComment(EditComment { comment_id: COMMENT, text: text(to) }))
        .with(|facts| facts.comment = Some(comment()))
}

fn removes(actor: UserId) -> Request {
    by(actor, TaskCommand::RemoveComment(RemoveComment { comment_id: COMMENT }))
        .with(|facts| facts.comment = Some(comment()))
}

fn reacts(emoji: &str) -> Request {
    by(MEMBER, TaskCommand::React(React { comment_id: COMMENT, emoji: text(emoji) }))
}

fn unreacts(emoji: &str) -> Request {
    by(MEMBER, TaskCommand::Unreact(React { comment_id: COMMENT, emoji: text(emoji) }))
}

fn comment_removed() -> TaskEvent {
    TaskEvent::CommentRemoved(CommentRemoved { comment: removed(comment()) })
}

fn reaction(user_id: UserId, emoji: &str) -> Reaction {
    Reaction { comment_id: COMMENT, user_id, emoji: emoji.to_owned() }
}

fn reaction_added(reaction: Reaction) -> TaskEvent {
    TaskEvent::ReactionAdded(ReactionAdded { reaction: added(reaction) })
}

/// A task with a comment of `MEMBER`.
fn a_commented_task() -> Vec<TaskEvent> {
    a_task_with([commented(comment())])
}

#[test]
fn a_comment_names_its_author_and_the_members_that_its_text_mentions() {
    let by_viewer = Comment { author_id: VIEWER, mentions: vec![OWNER], ..comment() };
    given(a_task())
        .when(comments(Some(COMMENT)).with(|facts| facts.mentions = vec![OWNER]))
        .then_expect_events(vec![commented(by_viewer)]);
}

#[test]
fn a_comment_without_an_id_gets_the_one_that_came_with_the_command() {
    let by_viewer = Comment { id: CommentId(FRESH), author_id: VIEWER, ..comment() };
    given(a_task()).when(comments(None)).then_expect_events(vec![commented(by_viewer)]);
}

#[test]
fn the_id_of_a_comment_is_given_out_once_even_when_the_comment_is_removed() {
    for task in [a_commented_task(), a_task_with([commented(comment()), comment_removed()])] {
        given(task).when(comments(Some(COMMENT))).then_expect_error(Refusal::AlreadyExists);
    }
}

#[test]
fn a_task_has_a_maximum_of_comments_removed_ones_included() {
    let many = (1..COMMENTS_PER_TASK).map(|n| commented(Comment { id: id(n as u128), ..comment() }));
    let full = a_task_with([commented(comment()), comment_removed()].into_iter().chain(many));
    // Without the check of the fixture that each event follows, which takes its time with so many.
    let mut task = Task::default();
    full.iter().for_each(|event| task.apply(event));
    let refused = Refusal::invalid("/text", "a task has at most 10000 comments");
    assert_eq!(comments(None).decide(&task), Err(refused));
}

#[test]
fn an_author_edits_a_comment_with_its_mentions() {
    let body = |text: &str, mentions| CommentBody { id: COMMENT, text: text.to_owned(), mentions };
    let edited = CommentEdited { comment: Delta::new(body("first", vec![]), body("second", vec![OWNER])) };
    given(a_commented_task())
        .when(edits(MEMBER, "second").with(|facts| facts.mentions = vec![OWNER]))
        .then_expect_events(vec![TaskEvent::CommentEdited(edited)]);
}

#[test]
fn a_comment_that_is_edited_to_what_it_says_stays_as_it_is() {
    given(a_commented_task()).when(edits(MEMBER, "first")).then_expect_events(vec![]);
}

#[test]
fn nobody_but_its_author_edits_a_comment() {
    for actor in [ADMIN, OWNER] {
        given(a_commented_task()).when(edits(actor, "second")).then_expect_error(Refusal::NotTheAuthor);
    }
}

#[test]
fn a_comment_that_is_not_there_or_removed_cannot_be_edited() {
    for task in [a_task(), a_task_with([commented(comment()), comment_removed()])] {
        given(task).when(edits(MEMBER, "second")).then_expect_error(Refusal::NotFound);
    }
}

/// The text of a comment is looked up in the log by its id. A command that gets none, or another comment, is refused.
#[test]
fn a_comment_whose_text_is_not_found_in_the_log_is_neither_edited_nor_removed() {
    for found in [None, Some(Comment { id: id(1), ..comment() })] {
        for request in [edits(MEMBER, "second"), removes(MEMBER)] {
            given(a_commented_task())
                .when(request.with(|facts| facts.comment = found.clone()))
                .then_expect_error(Refusal::NotFound);
        }
    }
}

#[test]
fn the_author_or_an_admin_removes_a_comment() {
    for actor in [MEMBER, ADMIN, OWNER] {
        given(a_commented_task()).when(removes(actor)).then_expect_events(vec![comment_removed()]);
    }
}

#[test]
fn a_member_cannot_remove_the_comment_of_somebody_else() {
    let of_owner = Comment { author_id: OWNER, ..comment() };
    given(a_task_with([commented(of_owner.clone())]))
        .when(removes(MEMBER))
        .then_expect_error(Refusal::Forbidden { needs: Role::Admin });
    let import = removes(MEMBER).with(|facts| {
        facts.comment = Some(of_owner.clone());
        facts.origin = Origin::Import;
    });
    given(a_task_with([commented(of_owner.clone())]))
        .when(import)
        .then_expect_events(vec![TaskEvent::CommentRemoved(CommentRemoved { comment: removed(of_owner) })]);
}

#[test]
fn a_comment_is_removed_once() {
    given(a_task_with([commented(comment()), comment_removed()])).when(removes(MEMBER)).then_expect_events(vec![]);
    given(a_task()).when(removes(MEMBER)).then_expect_error(Refusal::NotFound);
}

#[test]
fn a_member_reacts_to_a_comment_once_with_each_emoji() {
    let liked = || reaction_added(reaction(MEMBER, "👍"));
    given(a_commented_task()).when(reacts("👍")).then_expect_events(vec![liked()]);
    given(a_task_with([commented(comment()), liked()])).when(reacts("👍")).then_expect_events(vec![]);
    given(a_task_with([commented(comment()), liked()]))
        .when(reacts("🎉"))
        .then_expect_events(vec![reaction_added(reaction(MEMBER, "🎉"))]);
}

#[test]
fn a_member_takes_back_their_own_reaction_alone() {
    let liked = |user| reaction_added(reaction(user, "👍"));
    given(a_task_with([commented(comment()), liked(MEMBER)])).when(unreacts("👍")).then_expect_events(vec![
        TaskEvent::ReactionRemoved(ReactionRemoved { reaction: removed(reaction(MEMBER, "👍")) }),
    ]);
    given(a_task_with([commented(comment()), liked(OWNER)])).when(unreacts("👍")).then_expect_events(vec![]);
}

#[test]
fn a_comment_has_a_maximum_of_reactions() {
    let many = (0..REACTIONS_PER_COMMENT).map(|n| reaction_added(reaction(id(n as u128), "👍")));
    given(a_task_with([commented(comment())].into_iter().chain(many)))
        .when(reacts("👍"))
        .then_expect_error(Refusal::invalid("", "a comment has at most 500 reactions"));
}

#[test]
fn nobody_reacts_to_a_comment_that_is_not_there_or_removed() {
    for task in [a_task(), a_task_with([commented(comment()), comment_removed()])] {
        for request in [reacts("👍"), unreacts("👍")] {
            given(task.clone()).when(request).then_expect_error(Refusal::NotFound);
        }
    }
}

/// A decision that needs the text of a comment reads it from the event of the comment's `written_at`.
#[test]
fn the_text_of_a_comment_is_read_from_the_event_that_wrote_it() {
    let other = commented(Comment { id: id(1), text: "other".to_owned(), ..comment() });
    let events = a_task_with([commented(comment()), other]);
    let mut task: Task = folded(&events);
    let kept = *task.card().unwrap().comment(COMMENT).unwrap();
    assert_eq!((kept.written_at, kept.has_text("first"), kept.has_text("other")), (2, true, false));
    assert_eq!(kept.read_from(events[1].clone()), Some(comment()));
    assert_eq!(kept.read_from(events[2].clone()), None, "of another comment");
    let edited = edits(MEMBER, "second").decide(&task).unwrap();
    task.apply(&edited[0]);
    let kept = *task.card().unwrap().comment(COMMENT).unwrap();
    assert_eq!((kept.written_at, kept.has_text("second")), (4, true));
    assert_eq!(kept.read_from(edited[0].clone()), Some(Comment { text: "second".to_owned(), ..comment() }));
}

#[test]
fn the_texts_of_comments_take_no_memory_and_those_of_fields_do() {
    let mut task: Task = folded(&a_task());
    let bare = task.bytes();
    for number in 0..1000 {
        task.apply(&commented(Comment { id: id(number), text: "x".repeat(16 * 1024), ..comment() }));
    }
    assert!(task.bytes() - bare < 1000 * 100, "{} bytes more", task.bytes() - bare);
    task.apply(&TaskEvent::Described(Described { description: changed_text("", &"x".repeat(10_000)) }));
    assert!(task.bytes() - bare > 10_000);
}
