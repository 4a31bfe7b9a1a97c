use taskfold_domain::TaskEvent;

use super::{Decoded, NoRow};
use crate::rows::{CommentRow, ReactionOf};
use crate::tables::Tables;

impl Tables {
    pub fn apply_comment(&mut self, decoded: &Decoded<'_>, event: &TaskEvent) -> Result<(), NoRow> {
        let logged = decoded.logged;
        match event {
            TaskEvent::Commented(e) => {
                let comment = &e.comment.to;
                self.comments.put(CommentRow {
                    task_id: decoded.id,
                    comment_id: comment.id.0,
                    project_id: decoded.project()?,
                    author_id: comment.author_id.0,
                    text: comment.text.clone(),
                    mentions: comment.mentions.iter().map(|u| u.0).collect(),
                    created_at: logged.occurred_at,
                    edited_at: None,
                    reactions: Vec::new(),
                    position: logged.position,
                });
            }
            TaskEvent::CommentEdited(e) => {
                let comment = &e.comment.to;
                let row = self.comments.get_mut(&(decoded.id, comment.id.0)).ok_or(NoRow("comment"))?;
                row.text.clone_from(&comment.text);
                row.mentions = comment.mentions.iter().map(|u| u.0).collect();
                row.edited_at = Some(logged.occurred_at);
            }
            TaskEvent::CommentRemoved(e) => self.comments.remove(&(decoded.id, e.comment.from.id.0)),
            TaskEvent::ReactionAdded(e) => {
                let reaction = &e.reaction.to;
                let row = self.comments.get_mut(&(decoded.id, reaction.comment_id.0)).ok_or(NoRow("comment"))?;
                row.reactions.push(ReactionOf { emoji: reaction.emoji.clone(), user_id: reaction.user_id.0 });
            }
            TaskEvent::ReactionRemoved(e) => {
                let reaction = &e.reaction.from;
                let row = self.comments.get_mut(&(decoded.id, reaction.comment_id.0)).ok_or(NoRow("comment"))?;
                row.reactions.retain(|r| r.emoji != reaction.emoji || r.user_id != reaction.user_id.0);
            }
            _ => {}
        }
        Ok(())
    }
}
