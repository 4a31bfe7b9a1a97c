//! `POST /v1/invitations/{token}/accept`: join a project by an invitation.

use std::time::Duration;

use axum::extract::State;
use taskfold_commands::{CommandError, Done, Envelope, MadeInvitation};
use taskfold_domain::Precondition;
use taskfold_domain::empty::Empty;
use taskfold_domain::{ProjectCommand, Role};
use taskfold_web::Problem;
use taskfold_web::audit::{self, Action};
use taskfold_web::client::Client;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Path;

use super::store::{self, Invitation, InvitationUse, Reservation};
use crate::http::accounts::tokens::unavailable;
use crate::http::app::App;
use crate::http::command_request::{CommandHeaders, CommandRequest};
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};

/// Number of attempts while another request of the same user is joining: about 5 seconds.
const MAX_ATTEMPTS: u32 = 50;
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Join a project by an invitation. Members who have the role or a higher one get a response without events, and do not
/// use the invitation up. 404 if the invitation has expired, was revoked or is used up, if its creator may not give the
/// role any more, if it is the caller's own, and for people who were removed or got a lower role after it was created.
#[utoipa::path(
    post, path = "/v1/invitations/{token}/accept", operation_id = "acceptInvitation", tag = "invitations",
    params(("token" = String, Path, description = "the token of the invitation"), CommandHeaders),
    responses(
        (status = 200, description = "Joined, or already a member", body = CommandReply),
        CommandProblems
    ),
    security(("bearer" = []))
)]
pub async fn handler(
    State(app): State<App>,
    client: Client,
    request: CommandRequest,
    Path(token): Path<String>,
) -> Result<Reply, ApiError> {
    let user = request.caller.user_id.0;
    let Some(invitation) = store::find(&app.pool, &token).await.map_err(unavailable)? else {
        audit::refused(Action::InvitationAccept, &client, Some(user), "unknown token");
        return Err(Problem::not_found().into());
    };
    let id = invitation.id;
    let accepted = accept(app, request, invitation).await;
    match &accepted {
        Ok(_) => audit::done(Action::InvitationAccept, &client, user, id),
        Err(_) => audit::refused(Action::InvitationAccept, &client, Some(user), "the invitation cannot be used"),
    }
    accepted
}

async fn accept(app: App, request: CommandRequest, invitation: Invitation) -> Result<Reply, ApiError> {
    let facts = invitation.facts()?;
    let envelope = request.envelope();
    let this = InvitationUse { invitation: invitation.id, user: envelope.actor, command_id: envelope.command_id };
    for _ in 0..MAX_ATTEMPTS {
        match reserve(&app, &invitation, facts.invitation.role, this).await? {
            // In a task of its own, so that it is settled even if the client disconnects. Otherwise the use would stay
            // reserved until the reservation expires.
            JoinSlot::Reserved => return detached(join_reserved(app, envelope, facts, invitation, this)).await,
            // Only at this version: a used-up invitation must not add a member who is being removed at the same time.
            JoinSlot::NotNeeded { version } => {
                let precondition = Precondition::Strict(version);
                let unchanged = Envelope { invitation: Some(facts), precondition, ..envelope.clone() };
                match join(&app, unchanged, &invitation).await {
                    Err(CommandError::Conflict(_)) => {}
                    outcome => return Ok(outcome?.into()),
                }
            }
            // Refused, unless the same request was accepted before.
            JoinSlot::None => return Ok(join(&app, envelope, &invitation).await?.into()),
            JoinSlot::HeldByOtherRequest => tokio::time::sleep(RETRY_INTERVAL).await,
        }
    }
    Err(Problem::unavailable("The invitation").into())
}

/// A use of the invitation, for a request that joins.
enum JoinSlot {
    /// Reserved for this request, until it is confirmed or released.
    Reserved,
    /// The user has the role at this version of the project.
    NotNeeded { version: u64 },
    /// The last use is reserved by another request of the same user.
    HeldByOtherRequest,
    /// The invitation cannot be used.
    None,
}

async fn reserve(app: &App, invitation: &Invitation, role: Role, this: InvitationUse) -> Result<JoinSlot, ApiError> {
    if !invitation.in_force {
        return Ok(JoinSlot::None);
    }
    if let Some(version) = version_with_role(app, invitation, role, this).await? {
        return Ok(JoinSlot::NotNeeded { version });
    }
    match store::reserve(&app.pool, this).await.map_err(unavailable)? {
        Reservation::Reserved => Ok(JoinSlot::Reserved),
        // The last use was taken, perhaps by a faster request of the same user.
        Reservation::UsedUp => {
            let version = version_with_role(app, invitation, role, this).await?;
            Ok(version.map_or(JoinSlot::None, |version| JoinSlot::NotNeeded { version }))
        }
        Reservation::HeldByOtherRequest => Ok(JoinSlot::HeldByOtherRequest),
    }
}

/// Version of the project, if the user has the role or a higher one in it.
async fn version_with_role(
    app: &App,
    invitation: &Invitation,
    role: Role,
    this: InvitationUse,
) -> Result<Option<u64>, ApiError> {
    let current = app.engine.role_in(invitation.project(), this.user).await?;
    let project = app.engine.load_project(invitation.project()).await?;
    Ok(current.is_some_and(|current| current >= role).then_some(project.version))
}

async fn join_reserved(
    app: App,
    envelope: Envelope,
    facts: MadeInvitation,
    invitation: Invitation,
    this: InvitationUse,
) -> Result<Reply, ApiError> {
    let outcome = join(&app, Envelope { invitation: Some(facts), ..envelope }, &invitation).await;
    let settled = match &outcome {
        Ok(done) if !done.events.is_empty() => store::confirm(&app.pool, this).await,
        // It may have been appended. When the reservation expires, the log decides whether it counts.
        Err(error) if error.is_open() => Ok(()),
        Ok(_) | Err(_) => store::release(&app.pool, this).await,
    };
    if let Err(error) = settled {
        tracing::warn!(%error, "a use of an invitation stays reserved until the reservation expires");
    }
    Ok(outcome?.into())
}

async fn join(app: &App, envelope: Envelope, invitation: &Invitation) -> Result<Done, CommandError> {
    app.engine.project(invitation.project(), ProjectCommand::Join(Empty {}), envelope).await
}

async fn detached(work: impl Future<Output = Result<Reply, ApiError>> + Send + 'static) -> Result<Reply, ApiError> {
    tokio::spawn(work).await.map_err(|error| Problem::internal(&error))?
}
