//! Comments, files and checklists.

use super::{Context, Origin};
use crate::delta::Delta;
use crate::ids::{AttachmentId, ChecklistId, CommentId, ItemId, UserId};
use crate::limits::{
    ATTACHMENTS_PER_TASK, CHECKLISTS_PER_TASK, COMMENTS_PER_TASK, ITEMS_PER_CHECKLIST, REACTIONS_PER_COMMENT,
};
use crate::project::Board;
use crate::refusal::Refusal;
use crate::role::Role;
use crate::task::commands::{
    AddChecklist, AddComment, AddItem, AttachFile, ChangeItem, EditComment, React, RemoveItem, RenameChecklist,
};
use crate::task::events::{
    AttachmentAdded, AttachmentRemoved, ChecklistAdded, ChecklistRemoved, ChecklistRenamed, CommentAdded,
    CommentEdited, CommentRemoved, ItemAdded, ItemChanged, ItemRemoved, ReactionAdded, ReactionRemoved, TaskEvent,
};
use crate::task::state::{Card, CommentDigest};
use crate::task::values::{Attachment, Checklist, ChecklistTitle, Comment, CommentBody, Item, PlacedItem, Reaction};

pub fn comment(card: &Card, add: &AddComment, context: &Context) -> Result<Vec<TaskEvent>, Refusal> {
    let id = add.id.unwrap_or(CommentId(context.fresh_id));
    if card.comment(id).is_some() || card.removed_comments.contains(&id) {
        return Err(Refusal::AlreadyExists);
    }
    if card.comments.len() + card.removed_comments.len() >= COMMENTS_PER_TASK {
        return Err(Refusal::invalid("/text", format!("a task has at most {COMMENTS_PER_TASK} comments")));
    }
    let comment = Comment {
        id,
        author_id: context.actor,
        text: add.text.as_str().to_owned(),
        mentions: context.mentions.clone(),
    };
    Ok(vec![TaskEvent::Commented(CommentAdded { comment: comment.into() })])
}

pub fn edit_comment(card: &Card, edit: &EditComment, context: &Context) -> Result<Vec<TaskEvent>, Refusal> {
    let comment = find_comment(card, edit.comment_id)?;
    if comment.author_id != context.actor {
        return Err(Refusal::NotTheAuthor);
    }
    let comment = text_of(context, comment.id)?;
    if comment.text == edit.text.as_str() {
        return Ok(vec![]);
    }
    let body =
        |text: &str, mentions: &[_]| CommentBody { id: comment.id, text: text.to_owned(), mentions: mentions.to_vec() };
    Ok(vec![TaskEvent::CommentEdited(CommentEdited {
        comment: Delta::new(body(&comment.text, &comment.mentions), body(edit.text.as_str(), &context.mentions)),
    })])
}

pub fn remove_comment(card: &Card, id: CommentId, board: &Board, context: &Context) -> Result<Vec<TaskEvent>, Refusal> {
    if card.removed_comments.contains(&id) {
        return Ok(vec![]);
    }
    let comment = find_comment(card, id)?;
    must_be_its_author_or_admin(comment.author_id, board, context)?;
    Ok(vec![TaskEvent::CommentRemoved(CommentRemoved { comment: text_of(context, id)?.clone().into() })])
}

/// Comment with its text.
fn text_of(context: &Context, id: CommentId) -> Result<&Comment, Refusal> {
    context.comment.as_ref().filter(|comment| comment.id == id).ok_or(Refusal::NotFound)
}

fn must_be_its_author_or_admin(author: UserId, board: &Board, context: &Context) -> Result<(), Refusal> {
    let may = context.origin == Origin::Import
        || author == context.actor
        || context.access(board).role_of(context.actor).is_some_and(|role| role >= Role::Admin);
    if may { Ok(()) } else { Err(Refusal::Forbidden { needs: Role::Admin }) }
}

pub fn attach(card: &Card, file: &AttachFile, context: &Context) -> Result<Vec<TaskEvent>, Refusal> {
    if card.attachments.iter().any(|a| a.id == file.id) || card.removed_attachments.contains(&file.id) {
        return Err(Refusal::AlreadyExists);
    }
    if card.attachments.len() >= ATTACHMENTS_PER_TASK {
        return Err(Refusal::invalid("", format!("a task has at most {ATTACHMENTS_PER_TASK} attachments")));
    }
    let attachment = Attachment {
        id: file.id,
        author_id: context.actor,
        file_name: file.file_name.as_str().to_owned(),
        content_type: file.content_type.as_str().to_owned(),
        size: file.size.get(),
        sha256: file.sha256.as_str().to_owned(),
    };
    Ok(vec![TaskEvent::AttachmentAdded(AttachmentAdded { attachment: attachment.into() })])
}

pub fn remove_attachment(
    card: &Card,
    id: AttachmentId,
    board: &Board,
    context: &Context,
) -> Result<Vec<TaskEvent>, Refusal> {
    if card.removed_attachments.contains(&id) {
        return Ok(vec![]);
    }
    let attachment = card.attachments.iter().find(|a| a.id == id).ok_or(Refusal::NotFound)?;
    must_be_its_author_or_admin(attachment.author_id, board, context)?;
    Ok(vec![TaskEvent::AttachmentRemoved(AttachmentRemoved { attachment: attachment.clone().into() })])
}

pub fn react(card: &Card, react: &React, context: &Context) -> Result<Vec<TaskEvent>, Refusal> {
    find_comment(card, react.comment_id)?;
    let reaction = reaction(react, context);
    if card.reactions.contains(&reaction) {
        return Ok(vec![]);
    }
    if card.reactions.iter().filter(|r| r.comment_id == react.comment_id).count() >= REACTIONS_PER_COMMENT {
        return Err(Refusal::invalid("", format!("a comment has at most {REACTIONS_PER_COMMENT} reactions")));
    }
    Ok(vec![TaskEvent::ReactionAdded(ReactionAdded { reaction: reaction.into() })])
}

pub fn unreact(card: &Card, react: &React, context: &Context) -> Result<Vec<TaskEvent>, Refusal> {
    find_comment(card, react.comment_id)?;
    let reaction = reaction(react, context);
    let exists = card.reactions.contains(&reaction);
    Ok(exists.then(|| TaskEvent::ReactionRemoved(ReactionRemoved { reaction: reaction.into() })).into_iter().collect())
}

fn reaction(react: &React, context: &Context) -> Reaction {
    Reaction { comment_id: react.comment_id, user_id: context.actor, emoji: react.emoji.as_str().to_owned() }
}

fn find_comment(card: &Card, id: CommentId) -> Result<&CommentDigest, Refusal> {
    card.comment(id).ok_or(Refusal::NotFound)
}

pub fn add_checklist(card: &Card, add: &AddChecklist, context: &Context) -> Result<Vec<TaskEvent>, Refusal> {
    let id = add.id.unwrap_or(ChecklistId(context.fresh_id));
    if card.fields.checklists.iter().any(|c| c.id == id) {
        return Err(Refusal::AlreadyExists);
    }
    if card.fields.checklists.len() >= CHECKLISTS_PER_TASK {
        return Err(Refusal::invalid("/title", format!("a task has at most {CHECKLISTS_PER_TASK} checklists")));
    }
    let checklist = Checklist { id, title: add.title.as_str().to_owned(), items: vec![] };
    Ok(vec![TaskEvent::ChecklistAdded(ChecklistAdded { checklist: checklist.into() })])
}

pub fn rename_checklist(card: &Card, rename: &RenameChecklist) -> Result<Vec<TaskEvent>, Refusal> {
    let list = find_checklist(card, rename.checklist_id)?;
    let titled = |title: &str| ChecklistTitle { id: list.id, title: title.to_owned() };
    Ok(Delta::between(&titled(&list.title), titled(rename.title.as_str()))
        .map(|checklist| TaskEvent::ChecklistRenamed(ChecklistRenamed { checklist }))
        .into_iter()
        .collect())
}

pub fn remove_checklist(card: &Card, id: ChecklistId) -> Result<Vec<TaskEvent>, Refusal> {
    let list = find_checklist(card, id)?;
    Ok(vec![TaskEvent::ChecklistRemoved(ChecklistRemoved { checklist: list.clone().into() })])
}

pub fn add_item(card: &Card, add: &AddItem, context: &Context) -> Result<Vec<TaskEvent>, Refusal> {
    let list = find_checklist(card, add.checklist_id)?;
    let id = add.id.unwrap_or(ItemId(context.fresh_id));
    if card.fields.checklists.iter().any(|c| c.items.iter().any(|i| i.id == id)) {
        return Err(Refusal::AlreadyExists);
    }
    if list.items.len() >= ITEMS_PER_CHECKLIST {
        return Err(Refusal::invalid("/text", format!("a checklist has at most {ITEMS_PER_CHECKLIST} items")));
    }
    let after = match add.after {
        None => list.items.last().map(|i| i.id),
        Some(after) => known(list, after, id)?,
    };
    let item = Item { id, text: add.text.as_str().to_owned(), done: add.done };
    let placed = PlacedItem { checklist_id: list.id, item, after };
    Ok(vec![TaskEvent::ChecklistItemAdded(ItemAdded { item: placed.into() })])
}

pub fn change_item(card: &Card, change: &ChangeItem) -> Result<Vec<TaskEvent>, Refusal> {
    let list = find_checklist(card, change.checklist_id)?;
    let from = placed(list, change.item_id)?;
    let mut to = from.clone();
    if let Some(text) = &change.text {
        to.item.text = text.as_str().to_owned();
    }
    if let Some(done) = change.done {
        to.item.done = done;
    }
    if let Some(after) = change.after {
        to.after = known(list, after, change.item_id)?;
    }
    Ok(Delta::between(&from, to)
        .map(|item| TaskEvent::ChecklistItemChanged(ItemChanged { item }))
        .into_iter()
        .collect())
}

pub fn remove_item(card: &Card, remove: &RemoveItem) -> Result<Vec<TaskEvent>, Refusal> {
    let list = find_checklist(card, remove.checklist_id)?;
    let item = placed(list, remove.item_id)?;
    Ok(vec![TaskEvent::ChecklistItemRemoved(ItemRemoved { item: item.into() })])
}

fn find_checklist(card: &Card, id: ChecklistId) -> Result<&Checklist, Refusal> {
    card.fields.checklists.iter().find(|c| c.id == id).ok_or(Refusal::NotFound)
}

fn placed(list: &Checklist, id: ItemId) -> Result<PlacedItem, Refusal> {
    let index = list.items.iter().position(|i| i.id == id).ok_or(Refusal::NotFound)?;
    Ok(PlacedItem {
        checklist_id: list.id,
        item: list.items[index].clone(),
        after: index.checked_sub(1).map(|before| list.items[before].id),
    })
}

fn known(list: &Checklist, after: Option<ItemId>, own: ItemId) -> Result<Option<ItemId>, Refusal> {
    match after {
        Some(after) if after == own || !list.items.iter().any(|i| i.id == after) => {
            Err(Refusal::invalid("/after", "not another item of the checklist"))
        }
        after => Ok(after),
    }
}
