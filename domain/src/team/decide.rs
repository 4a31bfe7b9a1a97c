//! What may be decided about a team: (state, command, context) -> events or a refusal.

use super::commands::TeamCommand;
use super::events::{Created, Deleted, MemberAdded, MemberRemoved, MemberRoleChanged, Renamed, TeamEvent};
use super::state::{Roster, Team, TeamMember, TeamRole};
use crate::delta::Delta;
use crate::ids::{TeamId, UserId};
use crate::input::MEMBERS_PER_TEAM;
use crate::refusal::Refusal;

/// What a decision needs to know beside the team and the command.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    pub actor: UserId,
    /// Of the team.
    pub id: TeamId,
}

/// Decides a command. An empty list means that everything is so already.
pub fn decide(team: &Team, command: &TeamCommand, context: &Context) -> Result<Vec<TeamEvent>, Refusal> {
    let roster = match (team.roster(), command) {
        (None, TeamCommand::Create(create)) if !team.was() => {
            return Ok(vec![TeamEvent::Created(Created {
                id: context.id.into(),
                name: create.name.as_str().to_owned().into(),
                members: vec![TeamMember { user_id: context.actor, role: TeamRole::Owner }].into(),
            })]);
        }
        (_, TeamCommand::Create(_)) => return Err(Refusal::AlreadyExists),
        (None, _) => return Err(Refusal::NotFound),
        (Some(roster), _) => roster,
    };
    authorize(roster, command, context.actor)?;
    match command {
        TeamCommand::Create(_) => Err(Refusal::AlreadyExists),
        TeamCommand::Edit(edit) => Ok(edit
            .name
            .as_ref()
            .and_then(|name| Delta::between(&roster.name, name.as_str().to_owned()))
            .map(|name| TeamEvent::Renamed(Renamed { name }))
            .into_iter()
            .collect()),
        TeamCommand::SetMember(set) => set_member(roster, TeamMember { user_id: set.user_id, role: set.role }),
        TeamCommand::RemoveMember(which) => remove_member(roster, which.user_id),
        TeamCommand::Delete(_) => Ok(vec![TeamEvent::Deleted(Deleted { members: roster.members.clone().into() })]),
    }
}

fn authorize(roster: &Roster, command: &TeamCommand, actor: UserId) -> Result<(), Refusal> {
    let role = roster.role_of(actor).ok_or(Refusal::NotFound)?;
    let leaves = matches!(command, TeamCommand::RemoveMember(which) if which.user_id == actor);
    if role >= command.needs() || leaves { Ok(()) } else { Err(Refusal::TeamOwnersOnly) }
}

fn set_member(roster: &Roster, member: TeamMember) -> Result<Vec<TeamEvent>, Refusal> {
    let Some(known) = roster.members.iter().find(|m| m.user_id == member.user_id) else {
        if roster.members.len() >= MEMBERS_PER_TEAM {
            return Err(Refusal::invalid("", format!("a team has at most {MEMBERS_PER_TEAM} members")));
        }
        return Ok(vec![TeamEvent::MemberAdded(MemberAdded { member: member.into() })]);
    };
    if member.role != TeamRole::Owner {
        must_not_be_last_owner(roster, *known)?;
    }
    Ok(Delta::between(known, member)
        .map(|member| TeamEvent::MemberRoleChanged(MemberRoleChanged { member }))
        .into_iter()
        .collect())
}

fn remove_member(roster: &Roster, user: UserId) -> Result<Vec<TeamEvent>, Refusal> {
    let member = *roster.members.iter().find(|m| m.user_id == user).ok_or(Refusal::NotFound)?;
    must_not_be_last_owner(roster, member)?;
    Ok(vec![TeamEvent::MemberRemoved(MemberRemoved { member: member.into() })])
}

fn must_not_be_last_owner(roster: &Roster, member: TeamMember) -> Result<(), Refusal> {
    let another = roster.members.iter().any(|m| m.role == TeamRole::Owner && m.user_id != member.user_id);
    if another || member.role != TeamRole::Owner { Ok(()) } else { Err(Refusal::LastOwner) }
}
