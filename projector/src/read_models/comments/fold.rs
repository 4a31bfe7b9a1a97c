//! Fold of events into comments.

use taskfold_domain::TaskEvent;
use taskfold_domain::task::{Aspect, CommentChange};

use super::CommentRow;
use super::row::ReactionOf;
use crate::decoded::{Decoded, NoRow};
use crate::tables::{Keys, Tables};

pub fn keys(keys: &mut Keys, decoded: &Decoded<'_>, event: &TaskEvent) {
    if let Some(change) = comment_change(event) {
        keys.comments.insert((decoded.id, change.comment_id().0));
    }
}

pub fn apply(tables: &mut Tables, decoded: &Decoded<'_>, event: &TaskEvent) -> Result<(), NoRow> {
    let Some(change) = comment_change(event) else { return Ok(()) };
    let logged = decoded.logged;
    let key = (decoded.id, change.comment_id().0);
    match change {
        CommentChange::Added(comment) => tables.comments.put(CommentRow {
            task_id: decoded.id,
            comment_id: comment.id.0,
            project_id: decoded.project()?,
            author_id: comment.author_id.0,
            text: comment.text.clone(),
            mentions: comment.mentions.clone(),
            created_at: logged.occurred_at,
            edited_at: None,
            reactions: Vec::new(),
            position: logged.position,
        }),
        CommentChange::Edited(body) => {
            let row = tables.comments.get_mut(&key).ok_or(NoRow("comment"))?;
            row.text.clone_from(&body.to.text);
            row.mentions.clone_from(&body.to.mentions);
            row.edited_at = Some(logged.occurred_at);
        }
        CommentChange::Removed(_) => tables.comments.remove(&key),
        CommentChange::ReactionAdded(added) => {
            let row = tables.comments.get_mut(&key).ok_or(NoRow("comment"))?;
            row.reactions.push(ReactionOf { emoji: added.emoji.clone(), user_id: added.user_id.0 });
        }
        CommentChange::ReactionRemoved(removed) => {
            let row = tables.comments.get_mut(&key).ok_or(NoRow("comment"))?;
            row.reactions.retain(|r| r.emoji != removed.emoji || r.user_id != removed.user_id.0);
        }
    }
    Ok(())
}

fn comment_change(event: &TaskEvent) -> Option<CommentChange<'_>> {
    match event.aspect() {
        Aspect::Comment(change) => Some(change),
        Aspect::Created(_)
        | Aspect::Field
        | Aspect::Assignees(_)
        | Aspect::Status(_)
        | Aspect::Parent(_)
        | Aspect::Dependencies(_)
        | Aspect::Attachment(_)
        | Aspect::Watcher(_)
        | Aspect::DueStage(_)
        | Aspect::Deletion(_) => None,
    }
}
