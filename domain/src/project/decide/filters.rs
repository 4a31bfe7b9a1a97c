//! Filters that members share.

use super::Context;
use crate::delta::Delta;
use crate::ids::FilterId;
use crate::limits::FILTERS_PER_PROJECT;
use crate::project::commands::{AddFilter, FilterPatch};
use crate::project::events::{FilterAdded, FilterChanged, FilterRemoved, ProjectEvent};
use crate::project::state::Board;
use crate::project::values::SavedFilter;
use crate::refusal::Refusal;

pub fn add(board: &Board, add: &AddFilter, context: &Context) -> Result<Vec<ProjectEvent>, Refusal> {
    let id = add.id.unwrap_or(FilterId(context.fresh_id));
    if board.fields.filters.iter().any(|f| f.id == id) {
        return Err(Refusal::AlreadyExists);
    }
    if board.fields.filters.len() >= FILTERS_PER_PROJECT {
        return Err(Refusal::invalid("", format!("a project has at most {FILTERS_PER_PROJECT} filters")));
    }
    let filter = SavedFilter { id, name: add.name.as_str().to_owned(), query: add.query.as_str().to_owned() };
    Ok(vec![ProjectEvent::FilterAdded(FilterAdded { filter: filter.into() })])
}

pub fn edit(board: &Board, id: FilterId, change: &FilterPatch) -> Result<Vec<ProjectEvent>, Refusal> {
    let filter = find(board, id)?;
    let mut to = filter.clone();
    if let Some(name) = &change.name {
        to.name = name.as_str().to_owned();
    }
    if let Some(query) = &change.query {
        to.query = query.as_str().to_owned();
    }
    Ok(Delta::between(filter, to)
        .map(|filter| ProjectEvent::FilterChanged(FilterChanged { filter }))
        .into_iter()
        .collect())
}

pub fn remove(board: &Board, id: FilterId) -> Result<Vec<ProjectEvent>, Refusal> {
    Ok(vec![ProjectEvent::FilterRemoved(FilterRemoved { filter: find(board, id)?.clone().into() })])
}

fn find(board: &Board, id: FilterId) -> Result<&SavedFilter, Refusal> {
    board.fields.filters.iter().find(|f| f.id == id).ok_or(Refusal::NotFound)
}
