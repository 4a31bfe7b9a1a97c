//! What may be decided about a project: (state, command, context) -> events or a refusal.

use uuid::Uuid;

use super::commands::{AddColumn, AddLabel, ColumnPatch, CreateProject, LabelPatch, ProjectCommand};
use super::events::{
    Archived, ColumnAdded, ColumnChanged, ColumnDiff, ColumnRemoved, Created, Described, LabelAdded, LabelChanged,
    LabelRemoved, MemberAdded, MemberRemoved, MemberRoleChanged, ProjectEvent, Renamed,
};
use super::state::{Board, Category, Column, Label, Member, Project, WipPolicy};
use crate::Timestamp;
use crate::delta::Delta;
use crate::ids::{ColumnId, LabelId, ProjectId, UserId};
use crate::input::{COLUMNS_PER_PROJECT, LABELS_PER_PROJECT};
use crate::rank::Rank;
use crate::refusal::Refusal;
use crate::role::Role;
use crate::task::Origin;

/// What a decision needs to know beside the project and the command.
#[derive(Clone, Debug)]
pub struct Context {
    pub actor: UserId,
    pub at: Timestamp,
    /// For the places of columns.
    pub jitter: u32,
    /// Of the project.
    pub id: ProjectId,
    /// Used where the command brings no id of its own; a UUIDv7, as are the ones counted on from it.
    pub fresh_id: Uuid,
    pub origin: Origin,
    /// What an invitation that was checked lets the actor become.
    pub invited: Option<Role>,
}

/// Decides a command. An empty list means that everything is so already.
pub fn decide(project: &Project, command: &ProjectCommand, context: &Context) -> Result<Vec<ProjectEvent>, Refusal> {
    let Some(board) = project.board() else {
        return match command {
            ProjectCommand::Create(create) => created(create, context),
            _ => Err(Refusal::NotFound),
        };
    };
    if matches!(command, ProjectCommand::Create(_)) {
        return Err(Refusal::AlreadyExists);
    }
    authorize(board, command, context)?;
    match command {
        ProjectCommand::Create(_) => Err(Refusal::AlreadyExists),
        ProjectCommand::Edit(edit) => {
            let name = edit.name.as_ref().and_then(|n| Delta::between(&board.name, n.as_str().to_owned()));
            let description = edit
                .description
                .as_ref()
                .and_then(|d| Delta::between(&board.description, d.clone().map(String::from).unwrap_or_default()));
            Ok([
                name.map(|name| ProjectEvent::Renamed(Renamed { name })),
                description.map(|description| ProjectEvent::Described(Described { description })),
            ]
            .into_iter()
            .flatten()
            .collect())
        }
        ProjectCommand::AddColumn(add) => add_column(board, add, context),
        ProjectCommand::EditColumn(edit) => edit_column(board, edit.column_id, &edit.change, context),
        ProjectCommand::ArchiveColumn(which) => archive_column(board, which.column_id, true),
        ProjectCommand::RestoreColumn(which) => archive_column(board, which.column_id, false),
        ProjectCommand::RemoveColumn(which) => {
            let column = find_column(board, which.column_id)?.clone();
            Ok(vec![ProjectEvent::ColumnRemoved(ColumnRemoved { column: column.into() })])
        }
        ProjectCommand::AddLabel(add) => add_label(board, add, context),
        ProjectCommand::EditLabel(edit) => edit_label(board, edit.label_id, &edit.change),
        ProjectCommand::RemoveLabel(which) => {
            let label = find_label(board, which.label_id)?.clone();
            Ok(vec![ProjectEvent::LabelRemoved(LabelRemoved { label: label.into() })])
        }
        ProjectCommand::SetMember(set) => set_member(board, Member { user_id: set.user_id, role: set.role }),
        ProjectCommand::RemoveMember(which) => remove_member(board, which.user_id),
        ProjectCommand::Archive(_) => Ok(archived(board, true)),
        ProjectCommand::Restore(_) => Ok(archived(board, false)),
        ProjectCommand::Join(_) => join(board, context),
    }
}

fn authorize(board: &Board, command: &ProjectCommand, context: &Context) -> Result<(), Refusal> {
    if context.origin == Origin::Import {
        return Ok(());
    }
    if matches!(command, ProjectCommand::Join(_)) {
        // Who joins has no role yet: the invitation is their right, and is looked at in the decision.
        return Ok(());
    }
    let role = board.role_of(context.actor).ok_or(Refusal::NotFound)?;
    let needs = match command {
        ProjectCommand::RemoveMember(which) if which.user_id == context.actor => Role::Viewer,
        ProjectCommand::SetMember(_)
        | ProjectCommand::RemoveMember(_)
        | ProjectCommand::Archive(_)
        | ProjectCommand::Restore(_) => Role::Owner,
        _ => Role::Admin,
    };
    if role < needs {
        return Err(Refusal::Forbidden { needs });
    }
    let works_when_archived =
        matches!(command, ProjectCommand::Archive(_) | ProjectCommand::Restore(_) | ProjectCommand::RemoveMember(_));
    if board.archived && !works_when_archived {
        return Err(Refusal::ProjectArchived);
    }
    Ok(())
}

fn created(create: &CreateProject, context: &Context) -> Result<Vec<ProjectEvent>, Refusal> {
    let columns = match &create.columns {
        None => ["To do", "In progress", "Done"]
            .into_iter()
            .zip([Category::Todo, Category::InProgress, Category::Done])
            .enumerate()
            .map(|(i, (name, category))| Column {
                id: numbered_id(context, i),
                name: name.to_owned(),
                category,
                wip_limit: None,
                wip_policy: WipPolicy::Advisory,
                rank: nth_rank(i),
                archived: false,
            })
            .collect::<Vec<_>>(),
        Some(columns) => columns
            .iter()
            .enumerate()
            .map(|(i, new)| Column {
                id: new.id.unwrap_or_else(|| numbered_id(context, i)),
                name: new.name.as_str().to_owned(),
                category: new.category,
                wip_limit: new.wip_limit.map(|w| w.get()),
                wip_policy: new.wip_policy,
                rank: nth_rank(i),
                archived: false,
            })
            .collect(),
    };
    if columns.is_empty() || columns.len() > COLUMNS_PER_PROJECT {
        return Err(Refusal::invalid("/columns", format!("must have 1 to {COLUMNS_PER_PROJECT} columns")));
    }
    for (i, column) in columns.iter().enumerate() {
        if columns[..i].iter().any(|c| c.id == column.id) {
            return Err(Refusal::invalid(format!("/columns/{i}/id"), "the same id twice"));
        }
    }
    Ok(vec![ProjectEvent::Created(Box::new(Created {
        id: context.id.into(),
        name: create.name.as_str().to_owned().into(),
        description: create.description.clone().map(String::from).unwrap_or_default().into(),
        columns: columns.into(),
        members: vec![Member { user_id: context.actor, role: Role::Owner }].into(),
    }))])
}

/// Ids for the columns of one new project, made from the one id that came with the command.
fn numbered_id(context: &Context, index: usize) -> ColumnId {
    ColumnId(Uuid::from_u128(context.fresh_id.as_u128().wrapping_add(index as u128)))
}

fn nth_rank(index: usize) -> Rank {
    Rank::from_source(f64::from(u16::try_from(index + 1).unwrap_or(u16::MAX)), 0)
}

fn add_column(board: &Board, add: &AddColumn, context: &Context) -> Result<Vec<ProjectEvent>, Refusal> {
    let id = add.id.unwrap_or(ColumnId(context.fresh_id));
    if board.column(id).is_some() {
        return Err(Refusal::AlreadyExists);
    }
    if board.columns.len() >= COLUMNS_PER_PROJECT {
        return Err(Refusal::invalid("", format!("a project has at most {COLUMNS_PER_PROJECT} columns")));
    }
    let after = match add.after {
        None => board.columns.last().map(|c| c.id),
        Some(after) => after,
    };
    let column = Column {
        id,
        name: add.name.as_str().to_owned(),
        category: add.category,
        wip_limit: add.wip_limit.map(|w| w.get()),
        wip_policy: add.wip_policy,
        rank: column_place(board, None, after, context)?,
        archived: false,
    };
    Ok(vec![ProjectEvent::ColumnAdded(ColumnAdded { column: column.into() })])
}

/// The rank behind `after`, the column that moves left out.
fn column_place(
    board: &Board,
    moving: Option<ColumnId>,
    after: Option<ColumnId>,
    context: &Context,
) -> Result<Rank, Refusal> {
    let others: Vec<&Column> = board.columns.iter().filter(|c| Some(c.id) != moving).collect();
    let index = match after {
        None => 0,
        Some(after) => others
            .iter()
            .position(|c| c.id == after)
            .map(|i| i + 1)
            .ok_or_else(|| Refusal::invalid("/after", "not another column of the project"))?,
    };
    let lower = index.checked_sub(1).map(|i| &others[i].rank);
    let upper = others.get(index).map(|c| &c.rank);
    Rank::between(lower, upper, context.at, context.jitter)
        .ok_or_else(|| Refusal::invalid("/after", "nothing fits between these columns"))
}

fn edit_column(
    board: &Board,
    id: ColumnId,
    change: &ColumnPatch,
    context: &Context,
) -> Result<Vec<ProjectEvent>, Refusal> {
    let column = find_column(board, id)?;
    let mut events = Vec::new();
    if let Some(name) = &change.name
        && name.as_str() != column.name
    {
        let named = |name: &str| ColumnDiff { name: Some(name.to_owned()), ..ColumnDiff::of(id) };
        events.push(ProjectEvent::ColumnRenamed(changed(named(&column.name), named(name.as_str()))));
    }
    if let Some(after) = change.after {
        let index = board.columns.iter().position(|c| c.id == id);
        let before = index.and_then(|i| i.checked_sub(1)).map(|i| board.columns[i].id);
        if before != after {
            let rank = column_place(board, Some(id), after, context)?;
            let placed = |rank: &Rank| ColumnDiff { rank: Some(rank.clone()), ..ColumnDiff::of(id) };
            events.push(ProjectEvent::ColumnMoved(changed(placed(&column.rank), placed(&rank))));
        }
    }
    let limit = change.wip_limit.map_or(column.wip_limit, |l| l.map(|l| l.get()));
    let policy = change.wip_policy.unwrap_or(column.wip_policy);
    if limit != column.wip_limit || policy != column.wip_policy {
        let limited =
            |limit, policy| ColumnDiff { wip_limit: Some(limit), wip_policy: Some(policy), ..ColumnDiff::of(id) };
        events.push(ProjectEvent::WipLimitSet(changed(
            limited(column.wip_limit, column.wip_policy),
            limited(limit, policy),
        )));
    }
    Ok(events)
}

fn changed(from: ColumnDiff, to: ColumnDiff) -> ColumnChanged {
    ColumnChanged { column: Delta::new(from, to) }
}

fn archive_column(board: &Board, id: ColumnId, archived: bool) -> Result<Vec<ProjectEvent>, Refusal> {
    let column = find_column(board, id)?;
    if column.archived == archived {
        return Ok(vec![]);
    }
    let set = |archived| ColumnDiff { archived: Some(archived), ..ColumnDiff::of(id) };
    let event = changed(set(!archived), set(archived));
    Ok(vec![if archived { ProjectEvent::ColumnArchived(event) } else { ProjectEvent::ColumnRestored(event) }])
}

fn add_label(board: &Board, add: &AddLabel, context: &Context) -> Result<Vec<ProjectEvent>, Refusal> {
    let id = add.id.unwrap_or(LabelId(context.fresh_id));
    if board.labels.iter().any(|l| l.id == id) {
        return Err(Refusal::AlreadyExists);
    }
    if board.labels.len() >= LABELS_PER_PROJECT {
        return Err(Refusal::invalid("", format!("a project has at most {LABELS_PER_PROJECT} labels")));
    }
    let label = Label { id, name: add.name.as_str().to_owned(), color: add.color.as_str().to_owned() };
    Ok(vec![ProjectEvent::LabelAdded(LabelAdded { label: label.into() })])
}

fn edit_label(board: &Board, id: LabelId, change: &LabelPatch) -> Result<Vec<ProjectEvent>, Refusal> {
    let label = find_label(board, id)?;
    let mut to = label.clone();
    if let Some(name) = &change.name {
        to.name = name.as_str().to_owned();
    }
    if let Some(color) = &change.color {
        to.color = color.as_str().to_owned();
    }
    Ok(Delta::between(label, to).map(|label| ProjectEvent::LabelChanged(LabelChanged { label })).into_iter().collect())
}

fn set_member(board: &Board, member: Member) -> Result<Vec<ProjectEvent>, Refusal> {
    let Some(known) = board.members.iter().find(|m| m.user_id == member.user_id) else {
        return Ok(vec![ProjectEvent::MemberAdded(MemberAdded { member: member.into() })]);
    };
    if known.role == Role::Owner && member.role != Role::Owner {
        must_not_be_last_owner(board, member.user_id)?;
    }
    Ok(Delta::between(known, member)
        .map(|member| ProjectEvent::MemberRoleChanged(MemberRoleChanged { member }))
        .into_iter()
        .collect())
}

fn remove_member(board: &Board, user: UserId) -> Result<Vec<ProjectEvent>, Refusal> {
    let member = *board.members.iter().find(|m| m.user_id == user).ok_or(Refusal::NotFound)?;
    if member.role == Role::Owner {
        must_not_be_last_owner(board, user)?;
    }
    Ok(vec![ProjectEvent::MemberRemoved(MemberRemoved { member: member.into() })])
}

/// An invitation only ever raises a role.
fn join(board: &Board, context: &Context) -> Result<Vec<ProjectEvent>, Refusal> {
    let role = context.invited.ok_or(Refusal::NotFound)?;
    if board.role_of(context.actor).is_some_and(|has| has >= role) {
        return Ok(vec![]);
    }
    if board.archived {
        return Err(Refusal::ProjectArchived);
    }
    set_member(board, Member { user_id: context.actor, role })
}

fn must_not_be_last_owner(board: &Board, user: UserId) -> Result<(), Refusal> {
    if board.members.iter().any(|m| m.role == Role::Owner && m.user_id != user) {
        Ok(())
    } else {
        Err(Refusal::LastOwner)
    }
}

fn archived(board: &Board, to: bool) -> Vec<ProjectEvent> {
    Delta::between(&board.archived, to)
        .map(|archived| Archived { archived })
        .map(|e| if to { ProjectEvent::Archived(e) } else { ProjectEvent::Restored(e) })
        .into_iter()
        .collect()
}

fn find_column(board: &Board, id: ColumnId) -> Result<&Column, Refusal> {
    board.column(id).ok_or(Refusal::NotFound)
}

fn find_label(board: &Board, id: LabelId) -> Result<&Label, Refusal> {
    board.labels.iter().find(|l| l.id == id).ok_or(Refusal::NotFound)
}
