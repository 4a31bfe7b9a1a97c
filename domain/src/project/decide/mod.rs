//! Decisions on a project: (state, command, context) -> events or a refusal.

/// Columns: ranks, limits, archiving.
mod columns;
/// Filters that members share.
mod filters;
/// Labels.
mod labels;
/// Members, teams and watchers.
mod people;

use std::sync::Arc;

use uuid::Uuid;

use super::commands::{CreateProject, ProjectCommand};
use super::events::{Archived, Created, Described, ProjectEvent, Renamed};
use super::state::{Board, Project};
use super::values::{Category, Column, Label, Member, TeamGrant, WipPolicy};
use crate::Timestamp;
use crate::access::{Access, TeamThen};
use crate::delta::Delta;
use crate::ids::{ColumnId, LabelId, ProjectId, UserId};
use crate::limits::COLUMNS_PER_PROJECT;
use crate::rank::Rank;
use crate::refusal::Refusal;
use crate::role::Role;
use crate::task::Origin;
use crate::team::Team;

pub use self::people::{may_invite, needed_for};

/// Facts that a decision depends on besides the project and the command.
#[derive(Clone, Debug)]
pub struct Context {
    pub actor: UserId,
    pub at: Timestamp,
    /// Jitter of the ranks of columns.
    pub jitter: u32,
    /// Id of the project.
    pub id: ProjectId,
    /// Used where the command brings no id of its own; a UUIDv7; further ids are counted up from it.
    pub fresh_id: Uuid,
    pub origin: Origin,
    /// Teams with a role in the project, and the one being added.
    pub teams: Vec<Arc<Team>>,
    /// For `Create`: the project whose columns and labels are copied.
    pub template: Option<Arc<Board>>,
    /// Invitation by which the actor joins.
    pub invitation: Option<Invitation>,
    /// For the invitation: each team that has a role in the project, or has lost one since.
    pub teams_then: Vec<TeamThen>,
}

/// An invitation that is in force: neither expired, revoked nor used up, by somebody whose account may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Role that it gives.
    pub role: Role,
    /// Person who made it. It carries no more than their authority of now.
    pub made_by: UserId,
    /// Version of the project that it was made on.
    pub made_at: u64,
    /// Its maker was allowed to make it by the role of a team, and not by a role of their own.
    pub through_team: bool,
}

impl Context {
    fn access<'a>(&'a self, board: &'a Board) -> Access<'a> {
        Access::new(board, &self.teams)
    }

    fn is_import(&self) -> bool {
        self.origin == Origin::Import
    }
}

/// Decides a command. An empty list means that nothing changes.
pub fn decide(project: &Project, command: &ProjectCommand, context: &Context) -> Result<Vec<ProjectEvent>, Refusal> {
    let Some(board) = project.board() else {
        let ProjectCommand::Create(create) = command else { return Err(Refusal::NotFound) };
        return created(create, context);
    };
    if matches!(command, ProjectCommand::Create(_)) {
        return Err(Refusal::AlreadyExists);
    }
    authorize(board, command, context)?;
    match command {
        ProjectCommand::Create(_) => Err(Refusal::AlreadyExists),
        ProjectCommand::Edit(edit) => {
            let name = edit.name.as_ref().and_then(|n| Delta::between(&board.fields.name, n.as_str().to_owned()));
            let description = edit.description.as_ref().and_then(|d| {
                Delta::between(&board.fields.description, d.clone().map(String::from).unwrap_or_default())
            });
            Ok([
                name.map(|name| ProjectEvent::Renamed(Renamed { name })),
                description.map(|description| ProjectEvent::Described(Described { description })),
            ]
            .into_iter()
            .flatten()
            .collect())
        }
        ProjectCommand::AddColumn(add) => columns::add(board, add, context),
        ProjectCommand::EditColumn(edit) => columns::edit(board, edit.column_id, &edit.change, context),
        ProjectCommand::ArchiveColumn(which) => columns::archive(board, which.column_id, true),
        ProjectCommand::RestoreColumn(which) => columns::archive(board, which.column_id, false),
        ProjectCommand::RemoveColumn(which) => columns::remove(board, which.column_id),
        ProjectCommand::AddLabel(add) => labels::add(board, add, context),
        ProjectCommand::EditLabel(edit) => labels::edit(board, edit.label_id, &edit.change),
        ProjectCommand::RemoveLabel(which) => labels::remove(board, which.label_id),
        ProjectCommand::SetMember(set) => {
            people::set_member(board, Member { user_id: set.user_id, role: set.role }, context)
        }
        ProjectCommand::RemoveMember(which) => people::remove_member(board, which.user_id, context),
        ProjectCommand::Archive(_) => Ok(archived(board, true)),
        ProjectCommand::Restore(_) => Ok(archived(board, false)),
        ProjectCommand::SetTeam(set) => {
            people::set_team(board, TeamGrant { team_id: set.team_id, role: set.role }, context)
        }
        ProjectCommand::RemoveTeam(which) => people::remove_team(board, which.team_id, context),
        ProjectCommand::Watch(_) => Ok(people::watch(board, context.actor, true)),
        ProjectCommand::Unwatch(_) => Ok(people::watch(board, context.actor, false)),
        ProjectCommand::AddFilter(add) => filters::add(board, add, context),
        ProjectCommand::EditFilter(edit) => filters::edit(board, edit.filter_id, &edit.change),
        ProjectCommand::RemoveFilter(which) => filters::remove(board, which.filter_id),
        ProjectCommand::Join(_) => people::join(board, context),
    }
}

fn authorize(board: &Board, command: &ProjectCommand, context: &Context) -> Result<(), Refusal> {
    if context.is_import() {
        return Ok(());
    }
    if matches!(command, ProjectCommand::Join(_)) {
        // Somebody who joins has no role yet; `people::join` checks the invitation.
        return Ok(());
    }
    let role = context.access(board).role_of(context.actor).ok_or(Refusal::NotFound)?;
    let leaves = matches!(command, ProjectCommand::RemoveMember(which) if which.user_id == context.actor);
    let needs = command.needs();
    if role < needs && !leaves {
        return Err(Refusal::Forbidden { needs });
    }
    let works_when_archived = matches!(
        command,
        ProjectCommand::Archive(_)
            | ProjectCommand::Restore(_)
            | ProjectCommand::RemoveMember(_)
            | ProjectCommand::RemoveTeam(_)
            | ProjectCommand::Watch(_)
            | ProjectCommand::Unwatch(_)
    );
    if board.fields.archived && !works_when_archived {
        return Err(Refusal::ProjectArchived);
    }
    Ok(())
}

fn created(create: &CreateProject, context: &Context) -> Result<Vec<ProjectEvent>, Refusal> {
    let template = context.template.as_deref();
    let columns = match (&create.columns, template) {
        (None, Some(template)) => template
            .fields
            .open_columns()
            .enumerate()
            .map(|(i, column)| Column { id: ColumnId(numbered_id(context, i)), rank: nth_rank(i), ..column.clone() })
            .collect(),
        (None, None) => ["To do", "In progress", "Done"]
            .into_iter()
            .zip([Category::Todo, Category::InProgress, Category::Done])
            .enumerate()
            .map(|(i, (name, category))| Column {
                id: ColumnId(numbered_id(context, i)),
                name: name.to_owned(),
                category,
                wip_limit: None,
                wip_policy: WipPolicy::Advisory,
                rank: nth_rank(i),
                archived: false,
            })
            .collect::<Vec<_>>(),
        (Some(columns), _) => columns
            .iter()
            .enumerate()
            .map(|(i, new)| Column {
                id: new.id.unwrap_or_else(|| ColumnId(numbered_id(context, i))),
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
    let taken = columns.len();
    let labels = template.map(|template| {
        let labels = template.fields.labels.iter().enumerate();
        labels.map(|(i, l)| Label { id: LabelId(numbered_id(context, taken + i)), ..l.clone() }).collect::<Vec<_>>()
    });
    Ok(vec![ProjectEvent::Created(Box::new(Created {
        id: context.id.into(),
        name: create.name.as_str().to_owned().into(),
        description: create.description.clone().map(String::from).unwrap_or_default().into(),
        columns: columns.into(),
        members: vec![Member { user_id: context.actor, role: Role::Owner }].into(),
        labels: labels.filter(|labels| !labels.is_empty()).map(Into::into),
    }))])
}

/// Ids for the parts of a new project, derived from the id that came with the command.
fn numbered_id(context: &Context, index: usize) -> Uuid {
    Uuid::from_u128(context.fresh_id.as_u128().wrapping_add(index as u128))
}

fn nth_rank(index: usize) -> Rank {
    Rank::from_source(f64::from(u16::try_from(index + 1).unwrap_or(u16::MAX)), 0)
}

fn archived(board: &Board, to: bool) -> Vec<ProjectEvent> {
    Delta::between(&board.fields.archived, to)
        .map(|archived| Archived { archived })
        .map(|e| if to { ProjectEvent::Archived(e) } else { ProjectEvent::Restored(e) })
        .into_iter()
        .collect()
}
