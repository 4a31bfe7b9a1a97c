//! Decisions on a team: (state, command, context) -> events or a refusal.

use super::commands::TeamCommand;
use super::events::{Created, Deleted, MemberAdded, MemberRemoved, MemberRoleChanged, Renamed, TeamEvent};
use super::state::{Team, TeamMembers};
use super::values::{TeamMember, TeamRole};
use crate::delta::Delta;
use crate::ids::{TeamId, UserId};
use crate::limits::MEMBERS_PER_TEAM;
use crate::refusal::Refusal;

/// Facts that a decision depends on besides the team and the command.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    pub actor: UserId,
    /// Id of the team.
    pub id: TeamId,
}

/// Decides a command. An empty list means that nothing changes.
pub fn decide(state: &Team, command: &TeamCommand, context: &Context) -> Result<Vec<TeamEvent>, Refusal> {
    let team = match (state.present(), command) {
        (None, TeamCommand::Create(create)) if !state.id_is_taken() => {
            return Ok(vec![TeamEvent::Created(Created {
                id: context.id.into(),
                name: create.name.as_str().to_owned().into(),
                members: vec![TeamMember { user_id: context.actor, role: TeamRole::Owner }].into(),
            })]);
        }
        (_, TeamCommand::Create(_)) => return Err(Refusal::AlreadyExists),
        (None, _) => return Err(Refusal::NotFound),
        (Some(team), _) => team,
    };
    authorize(team, command, context.actor)?;
    match command {
        TeamCommand::Create(_) => Err(Refusal::AlreadyExists),
        TeamCommand::Edit(edit) => Ok(edit
            .name
            .as_ref()
            .and_then(|name| Delta::between(&team.fields.name, name.as_str().to_owned()))
            .map(|name| TeamEvent::Renamed(Renamed { name }))
            .into_iter()
            .collect()),
        TeamCommand::SetMember(set) => set_member(team, TeamMember { user_id: set.user_id, role: set.role }),
        TeamCommand::RemoveMember(which) => remove_member(team, which.user_id),
        TeamCommand::Delete(_) => Ok(vec![TeamEvent::Deleted(Deleted { members: team.members.clone().into() })]),
    }
}

fn authorize(team: &TeamMembers, command: &TeamCommand, actor: UserId) -> Result<(), Refusal> {
    let role = team.role_of(actor).ok_or(Refusal::NotFound)?;
    let leaves = matches!(command, TeamCommand::RemoveMember(which) if which.user_id == actor);
    if role >= command.needs() || leaves { Ok(()) } else { Err(Refusal::TeamOwnersOnly) }
}

fn set_member(team: &TeamMembers, member: TeamMember) -> Result<Vec<TeamEvent>, Refusal> {
    let Some(current) = team.members.iter().find(|m| m.user_id == member.user_id) else {
        if team.members.len() >= MEMBERS_PER_TEAM {
            return Err(Refusal::invalid("", format!("a team has at most {MEMBERS_PER_TEAM} members")));
        }
        return Ok(vec![TeamEvent::MemberAdded(MemberAdded { member: member.into() })]);
    };
    if member.role != TeamRole::Owner {
        must_not_be_last_owner(team, *current)?;
    }
    Ok(Delta::between(current, member)
        .map(|member| TeamEvent::MemberRoleChanged(MemberRoleChanged { member }))
        .into_iter()
        .collect())
}

fn remove_member(team: &TeamMembers, user: UserId) -> Result<Vec<TeamEvent>, Refusal> {
    let member = *team.members.iter().find(|m| m.user_id == user).ok_or(Refusal::NotFound)?;
    must_not_be_last_owner(team, member)?;
    Ok(vec![TeamEvent::MemberRemoved(MemberRemoved { member: member.into() })])
}

fn must_not_be_last_owner(team: &TeamMembers, member: TeamMember) -> Result<(), Refusal> {
    let another = team.members.iter().any(|m| m.role == TeamRole::Owner && m.user_id != member.user_id);
    if another || member.role != TeamRole::Owner { Ok(()) } else { Err(Refusal::LastOwner) }
}
