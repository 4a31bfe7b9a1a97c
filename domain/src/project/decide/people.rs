//! Members, teams and watchers.

use super::{Context, Invitation};
use crate::access::{Access, TeamThen};
use crate::delta::Delta;
use crate::ids::{TeamId, UserId};
use crate::limits::TEAMS_PER_PROJECT;
use crate::project::events::{
    MemberAdded, MemberRemoved, MemberRoleChanged, ProjectEvent, TeamAdded, TeamRemoved, TeamRoleChanged,
};
use crate::project::state::Board;
use crate::project::values::{Member, TeamGrant};
use crate::refusal::Refusal;
use crate::role::Role;
use crate::watching::{Unwatched, Watched, Watcher};

/// Least role that may add members, and so may invite them.
const INVITING: Role = Role::Admin;

/// Joins by invitation, which only ever raises a role, and gives no more than its maker may give now.
pub fn join(board: &Board, context: &Context) -> Result<Vec<ProjectEvent>, Refusal> {
    let invitation = context.invitation.ok_or(Refusal::NotFound)?;
    let Invitation { role, made_by, made_at, through_team: _ } = invitation;
    let (access, teams_then) = (context.access(board), context.teams_then.as_slice());
    if access.role_of(context.actor).is_some_and(|has| has >= role) {
        return Ok(vec![]);
    }
    let is_own = made_by == context.actor;
    let was_removed = board.was_removed_or_demoted_since(made_at, context.actor)
        || access.has_lost_team_since(made_at, teams_then, context.actor);
    if is_own || was_removed || !may_invite(board, access, invitation, teams_then) {
        return Err(Refusal::NotFound);
    }
    if board.fields.archived {
        return Err(Refusal::ProjectArchived);
    }
    Ok(put_member(board, Member { user_id: context.actor, role }))
}

/// Returns whether the maker of an invitation may give its role now, and has been allowed to ever since.
pub fn may_invite(board: &Board, access: Access<'_>, invitation: Invitation, teams_then: &[TeamThen]) -> bool {
    let Invitation { role, made_by, made_at, through_team } = invitation;
    let lost_team = || through_team && access.has_lost_team_since(made_at, teams_then, made_by);
    access.role_of(made_by).is_some_and(|has| has >= needed_for(role))
        && !board.has_lost_authority_since(made_at, made_by)
        && !lost_team()
}

/// Least role that may give this role to a new member.
pub fn needed_for(role: Role) -> Role {
    if role == Role::Owner { Role::Owner } else { INVITING }
}

pub fn set_member(board: &Board, member: Member, context: &Context) -> Result<Vec<ProjectEvent>, Refusal> {
    let current = board.members.iter().find(|m| m.user_id == member.user_id);
    must_be_owner_for(current.map(|m| m.role), Some(member.role), board, context)?;
    if board.has_left(member.user_id) && !context.is_import() {
        return Err(Refusal::HasLeft);
    }
    if current.is_some_and(|current| current.role == Role::Owner) && member.role != Role::Owner {
        must_not_be_last_owner(board, member.user_id)?;
    }
    Ok(put_member(board, member))
}

fn put_member(board: &Board, member: Member) -> Vec<ProjectEvent> {
    let Some(current) = board.members.iter().find(|m| m.user_id == member.user_id) else {
        return vec![ProjectEvent::MemberAdded(MemberAdded { member: member.into() })];
    };
    Delta::between(current, member)
        .map(|member| ProjectEvent::MemberRoleChanged(MemberRoleChanged { member }))
        .into_iter()
        .collect()
}

pub fn remove_member(board: &Board, user: UserId, context: &Context) -> Result<Vec<ProjectEvent>, Refusal> {
    let member = *board.members.iter().find(|m| m.user_id == user).ok_or(Refusal::NotFound)?;
    if user != context.actor {
        must_be_owner_for(Some(member.role), None, board, context)?;
    }
    if member.role == Role::Owner {
        must_not_be_last_owner(board, user)?;
    }
    let left = (user == context.actor).then(|| true.into());
    Ok(vec![ProjectEvent::MemberRemoved(MemberRemoved { member: member.into(), left })])
}

/// Refuses to leave the project without an owner of its own. One through a team does not count: a team may be deleted.
fn must_not_be_last_owner(board: &Board, user: UserId) -> Result<(), Refusal> {
    if board.members.iter().any(|m| m.role == Role::Owner && m.user_id != user) {
        Ok(())
    } else {
        Err(Refusal::LastOwner)
    }
}

/// Refuses to give or take the role of an owner, unless an owner does: admins would make themselves owners.
fn must_be_owner_for(from: Option<Role>, to: Option<Role>, board: &Board, context: &Context) -> Result<(), Refusal> {
    let about_owners = [from, to].contains(&Some(Role::Owner));
    if !about_owners || context.is_import() || context.access(board).role_of(context.actor) == Some(Role::Owner) {
        Ok(())
    } else {
        Err(Refusal::OwnersOnly)
    }
}

pub fn set_team(board: &Board, grant: TeamGrant, context: &Context) -> Result<Vec<ProjectEvent>, Refusal> {
    let current = board.teams.iter().find(|t| t.team_id == grant.team_id);
    must_be_owner_for(current.map(|t| t.role), Some(grant.role), board, context)?;
    let Some(current) = current else {
        // Only a member of the team may add it: for others it does not exist.
        let team = context.teams.iter().filter_map(|t| t.present()).find(|t| t.id == grant.team_id);
        team.and_then(|t| t.role_of(context.actor)).ok_or(Refusal::NotFound)?;
        if board.teams.len() >= TEAMS_PER_PROJECT {
            return Err(Refusal::invalid("", format!("a project has at most {TEAMS_PER_PROJECT} teams")));
        }
        return Ok(vec![ProjectEvent::TeamAdded(TeamAdded { team: grant.into() })]);
    };
    Ok(Delta::between(current, grant)
        .map(|team| ProjectEvent::TeamRoleChanged(TeamRoleChanged { team }))
        .into_iter()
        .collect())
}

pub fn remove_team(board: &Board, id: TeamId, context: &Context) -> Result<Vec<ProjectEvent>, Refusal> {
    let grant = *board.teams.iter().find(|t| t.team_id == id).ok_or(Refusal::NotFound)?;
    must_be_owner_for(Some(grant.role), None, board, context)?;
    Ok(vec![ProjectEvent::TeamRemoved(TeamRemoved { team: grant.into() })])
}

pub fn watch(board: &Board, user: UserId, wanted: bool) -> Vec<ProjectEvent> {
    let watcher = Watcher { user_id: user };
    match (board.fields.watcher_ids.contains(&user), wanted) {
        (false, true) => vec![ProjectEvent::Watched(Watched { watcher: watcher.into() })],
        (true, false) => vec![ProjectEvent::Unwatched(Unwatched { watcher: watcher.into() })],
        (true, true) | (false, false) => vec![],
    }
}
