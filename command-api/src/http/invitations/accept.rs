use std::time::Duration;

use axum::extract::State;
use taskfold_commands::{CommandError, Done, Envelope};
use taskfold_domain::Precondition;
use taskfold_domain::empty::Empty;
use taskfold_domain::{ProjectCommand, Role};
use taskfold_web::Problem;
use taskfold_web::problem::CommandProblems;
use taskfold_web::read::Path;

use super::store::{self, Invitation, Reserved, Use};
use crate::http::accounts::tokens::unavailable;
use crate::http::app::App;
use crate::http::error::ApiError;
use crate::http::reply::{CommandReply, Reply};
use crate::http::sent::{CommandHeaders, Sent};

/// How often to look again while another request of the same person is joining: for about 5 seconds.
const LOOKS: u32 = 50;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Join a project by an invitation. Whoever has the role already, or a higher one, is answered with no events, and the
/// invitation is not used up by it. 404 when it has expired, was revoked or is used up.
#[utoipa::path(
    post, path = "/v1/invitations/{token}/accept", operation_id = "acceptInvitation", tag = "invitations",
    params(("token" = String, Path, description = "the invitation's token"), CommandHeaders),
    responses((status = 200, description = "Joined, or was a member already", body = CommandReply), CommandProblems),
    security(("bearer" = []))
)]
pub async fn handler(State(app): State<App>, sent: Sent, Path(token): Path<String>) -> Result<Reply, ApiError> {
    let invitation = store::find(&app.pool, &token).await.map_err(unavailable)?.ok_or_else(Problem::not_found)?;
    let role = invitation.role()?;
    let envelope = sent.envelope();
    let this = Use { invitation: invitation.id, user: envelope.actor, command_id: envelope.command_id };
    for _ in 0..LOOKS {
        match place(&app, &invitation, role, this).await? {
            // To the end, also when the caller has hung up: else the place would be held until the reservation is over.
            Place::Taken => return on_its_own(joined(app, envelope, role, invitation, this)).await,
            // As of that version: a link that is used up does not bring back who is being removed just now.
            Place::NotNeeded { at } => {
                let precondition = Precondition::Strict(at);
                let unchanged = Envelope { invited: Some(role), precondition, ..envelope.clone() };
                match join(&app, unchanged, &invitation).await {
                    Err(CommandError::Conflict(_)) => {}
                    outcome => return Ok(outcome?.into()),
                }
            }
            // Nothing to join by, but perhaps the same request was answered before.
            Place::None => return Ok(join(&app, envelope, &invitation).await?.into()),
            Place::HeldForThem => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
    Err(Problem::unavailable("The invitation").into())
}

enum Place {
    /// For this request, until it is confirmed or released.
    Taken,
    /// They have the role, as of this version of the project.
    NotNeeded {
        at: u64,
    },
    /// The last one is held by another request of theirs.
    HeldForThem,
    None,
}

async fn place(app: &App, invitation: &Invitation, role: Role, this: Use) -> Result<Place, ApiError> {
    if !invitation.in_force {
        return Ok(Place::None);
    }
    if let Some(at) = has_it(app, invitation, role, this).await? {
        return Ok(Place::NotNeeded { at });
    }
    match store::reserve(&app.pool, this).await.map_err(unavailable)? {
        Reserved::Yes => Ok(Place::Taken),
        // Somebody took the last place, or they themselves did, by a request that was faster.
        Reserved::No => {
            Ok(has_it(app, invitation, role, this).await?.map_or(Place::None, |at| Place::NotNeeded { at }))
        }
        Reserved::ByAnotherRequestOfTheirs => Ok(Place::HeldForThem),
    }
}

/// The version of the project, when they have the role or a higher one in it.
async fn has_it(app: &App, invitation: &Invitation, role: Role, this: Use) -> Result<Option<u64>, ApiError> {
    let has = app.engine.role_in(invitation.project(), this.user).await?;
    let project = app.engine.load_project(invitation.project()).await?;
    Ok(has.is_some_and(|has| has >= role).then_some(project.version))
}

async fn joined(
    app: App,
    envelope: Envelope,
    role: Role,
    invitation: Invitation,
    this: Use,
) -> Result<Reply, ApiError> {
    let outcome = join(&app, Envelope { invited: Some(role), ..envelope }, &invitation).await;
    let settled = match &outcome {
        Ok(done) if !done.events.is_empty() => store::confirm(&app.pool, this).await,
        // It may have been appended all the same: when the reservation is over, the log says whether it was.
        Err(error) if error.is_open() => Ok(()),
        Ok(_) | Err(_) => store::release(&app.pool, this).await,
    };
    if let Err(error) = settled {
        tracing::warn!(%error, "the use of an invitation is settled by the log, later");
    }
    Ok(outcome?.into())
}

async fn join(app: &App, envelope: Envelope, invitation: &Invitation) -> Result<Done, CommandError> {
    app.engine.project(invitation.project(), ProjectCommand::Join(Empty {}), envelope).await
}

async fn on_its_own(work: impl Future<Output = Result<Reply, ApiError>> + Send + 'static) -> Result<Reply, ApiError> {
    tokio::spawn(work).await.map_err(|error| Problem::internal(&error))?
}
