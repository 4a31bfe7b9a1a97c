//! Which changes touch the same thing. Two edits made at the same time merge when they touch different things.

use uuid::Uuid;

use crate::project::ProjectEvent;
use crate::task::TaskEvent;
use crate::team::TeamEvent;

/// One thing an event changes: a field, or one member of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Touch {
    /// As callers know it: `title`, `column_id`, `label_ids`.
    pub field: &'static str,
    /// Which member of a set, where members are changed one by one.
    pub member: Option<Uuid>,
}

/// How an aggregate's events bear on edits made at the same time.
pub trait Touches {
    /// What the event changes; empty for side changes (comments), which stale nobody's form.
    fn touches(&self) -> Vec<Touch>;

    fn is_edit(&self) -> bool {
        !self.touches().is_empty()
    }
}

fn field(field: &'static str) -> Vec<Touch> {
    vec![Touch { field, member: None }]
}

fn member(field: &'static str, member: Uuid) -> Vec<Touch> {
    vec![Touch { field, member: Some(member) }]
}

/// The members by which two versions of a set differ.
fn members<T: PartialEq + Copy>(name: &'static str, from: &[T], to: &[T], id: impl Fn(T) -> Uuid) -> Vec<Touch> {
    let gone = from.iter().filter(|i| !to.contains(i));
    let come = to.iter().filter(|i| !from.contains(i));
    gone.chain(come).map(|i| Touch { field: name, member: Some(id(*i)) }).collect()
}

impl Touches for TaskEvent {
    fn touches(&self) -> Vec<Touch> {
        match self {
            Self::Created(_) => field("id"),
            Self::Renamed(_) => field("title"),
            Self::Described(_) => field("description"),
            Self::Moved(_) => field("column_id"),
            Self::Assigned(e) | Self::Unassigned(e) => {
                members("assignee_ids", &e.assignee_ids.from, &e.assignee_ids.to, |u| u.0)
            }
            Self::Labeled(e) | Self::Unlabeled(e) => members("label_ids", &e.label_ids.from, &e.label_ids.to, |l| l.0),
            Self::Prioritized(_) => field("priority"),
            Self::Scheduled(e) => {
                let start = e.start_at.as_ref().map(|_| Touch { field: "start_at", member: None });
                let due = e.due_at.as_ref().map(|_| Touch { field: "due_at", member: None });
                start.into_iter().chain(due).collect()
            }
            Self::Estimated(_) => field("estimate_minutes"),
            Self::Started(_)
            | Self::Paused(_)
            | Self::Resumed(_)
            | Self::Completed(_)
            | Self::Cancelled(_)
            | Self::Failed(_)
            | Self::Reopened(_) => field("status"),
            Self::Progressed(_) => field("progress"),
            Self::Archived(_) | Self::Unarchived(_) => field("archived"),
            Self::Deleted(_) | Self::Restored(_) => field("deleted"),
            Self::Commented(_) | Self::CommentEdited(_) | Self::CommentRemoved(_) => vec![],
            Self::AttachmentAdded(_) | Self::AttachmentRemoved(_) => vec![],
            Self::ChecklistAdded(e) => member("checklists", e.checklist.to.id.0),
            Self::ChecklistRenamed(e) => member("checklists", e.checklist.to.id.0),
            Self::ChecklistRemoved(e) => member("checklists", e.checklist.from.id.0),
            Self::ChecklistItemAdded(e) => member("checklists", e.item.to.item.id.0),
            Self::ChecklistItemChanged(e) => member("checklists", e.item.to.item.id.0),
            Self::ChecklistItemRemoved(e) => member("checklists", e.item.from.item.id.0),
            Self::Reparented(_) => field("parent_id"),
            Self::DependencyAdded(e) | Self::DependencyRemoved(e) => {
                members("dependency_ids", &e.dependency_ids.from, &e.dependency_ids.to, |t| t.0)
            }
            Self::ReactionAdded(_)
            | Self::ReactionRemoved(_)
            | Self::Watched(_)
            | Self::Unwatched(_)
            | Self::DueSoon(_)
            | Self::Overdue(_) => vec![],
        }
    }
}

impl Touches for ProjectEvent {
    fn touches(&self) -> Vec<Touch> {
        match self {
            Self::Created(_) => field("id"),
            Self::Renamed(_) => field("name"),
            Self::Described(_) => field("description"),
            Self::ColumnAdded(e) => member("columns", e.column.to.id.0),
            Self::ColumnRenamed(e)
            | Self::ColumnMoved(e)
            | Self::ColumnArchived(e)
            | Self::ColumnRestored(e)
            | Self::WipLimitSet(e) => member("columns", e.column.to.id.0),
            Self::ColumnRemoved(e) => member("columns", e.column.from.id.0),
            Self::LabelAdded(e) => member("labels", e.label.to.id.0),
            Self::LabelChanged(e) => member("labels", e.label.to.id.0),
            Self::LabelRemoved(e) => member("labels", e.label.from.id.0),
            Self::MemberAdded(e) => member("members", e.member.to.user_id.0),
            Self::MemberRoleChanged(e) => member("members", e.member.to.user_id.0),
            Self::MemberRemoved(e) => member("members", e.member.from.user_id.0),
            Self::Archived(_) | Self::Restored(_) => field("archived"),
            Self::TeamAdded(e) => member("teams", e.team.to.team_id.0),
            Self::TeamRoleChanged(e) => member("teams", e.team.to.team_id.0),
            Self::TeamRemoved(e) => member("teams", e.team.from.team_id.0),
            Self::Watched(_) | Self::Unwatched(_) => vec![],
            Self::FilterAdded(e) => member("filters", e.filter.to.id.0),
            Self::FilterChanged(e) => member("filters", e.filter.to.id.0),
            Self::FilterRemoved(e) => member("filters", e.filter.from.id.0),
        }
    }
}

impl Touches for TeamEvent {
    fn touches(&self) -> Vec<Touch> {
        match self {
            Self::Created(_) => field("id"),
            Self::Renamed(_) => field("name"),
            Self::MemberAdded(e) => member("members", e.member.to.user_id.0),
            Self::MemberRoleChanged(e) => member("members", e.member.to.user_id.0),
            Self::MemberRemoved(e) => member("members", e.member.from.user_id.0),
            Self::Deleted(_) => field("deleted"),
        }
    }
}
