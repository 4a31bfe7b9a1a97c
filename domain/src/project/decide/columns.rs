//! Columns: ranks, limits, archiving.

use super::Context;
use crate::delta::Delta;
use crate::ids::ColumnId;
use crate::limits::COLUMNS_PER_PROJECT;
use crate::project::commands::{AddColumn, ColumnPatch};
use crate::project::events::{ColumnAdded, ColumnChanged, ColumnDiff, ColumnRemoved, ProjectEvent};
use crate::project::state::Board;
use crate::project::values::Column;
use crate::rank::Rank;
use crate::refusal::Refusal;

pub fn add(board: &Board, add: &AddColumn, context: &Context) -> Result<Vec<ProjectEvent>, Refusal> {
    let id = add.id.unwrap_or(ColumnId(context.fresh_id));
    if board.fields.column(id).is_some() || board.removed_at(id.0).is_some() {
        return Err(Refusal::AlreadyExists);
    }
    if board.fields.columns.len() >= COLUMNS_PER_PROJECT {
        return Err(Refusal::invalid("", format!("a project has at most {COLUMNS_PER_PROJECT} columns")));
    }
    let after = match add.after {
        None => board.fields.columns.last().map(|c| c.id),
        Some(after) => after,
    };
    let column = Column {
        id,
        name: add.name.as_str().to_owned(),
        category: add.category,
        wip_limit: add.wip_limit.map(|w| w.get()),
        wip_policy: add.wip_policy,
        rank: column_rank(board, None, after, context)?,
        archived: false,
    };
    Ok(vec![ProjectEvent::ColumnAdded(ColumnAdded { column: column.into() })])
}

/// Rank behind `after`, the column that moves left out.
fn column_rank(
    board: &Board,
    moving: Option<ColumnId>,
    after: Option<ColumnId>,
    context: &Context,
) -> Result<Rank, Refusal> {
    let others: Vec<&Column> = board.fields.columns.iter().filter(|c| Some(c.id) != moving).collect();
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

pub fn edit(
    board: &Board,
    id: ColumnId,
    change: &ColumnPatch,
    context: &Context,
) -> Result<Vec<ProjectEvent>, Refusal> {
    let column = find(board, id)?;
    let mut events = Vec::new();
    if let Some(name) = &change.name
        && name.as_str() != column.name
    {
        let named = |name: &str| ColumnDiff { name: Some(name.to_owned()), ..ColumnDiff::of(id) };
        events.push(ProjectEvent::ColumnRenamed(changed(named(&column.name), named(name.as_str()))));
    }
    if let Some(after) = change.after {
        let index = board.fields.columns.iter().position(|c| c.id == id);
        let before = index.and_then(|i| i.checked_sub(1)).map(|i| board.fields.columns[i].id);
        if before != after {
            let rank = column_rank(board, Some(id), after, context)?;
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

pub fn archive(board: &Board, id: ColumnId, archived: bool) -> Result<Vec<ProjectEvent>, Refusal> {
    let column = find(board, id)?;
    if column.archived == archived {
        return Ok(vec![]);
    }
    let set = |archived| ColumnDiff { archived: Some(archived), ..ColumnDiff::of(id) };
    let event = changed(set(!archived), set(archived));
    Ok(vec![if archived { ProjectEvent::ColumnArchived(event) } else { ProjectEvent::ColumnRestored(event) }])
}

pub fn remove(board: &Board, id: ColumnId) -> Result<Vec<ProjectEvent>, Refusal> {
    let column = find(board, id)?.clone();
    Ok(vec![ProjectEvent::ColumnRemoved(ColumnRemoved { column: column.into() })])
}

fn find(board: &Board, id: ColumnId) -> Result<&Column, Refusal> {
    board.fields.column(id).ok_or(Refusal::NotFound)
}
