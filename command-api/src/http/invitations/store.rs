//! Invitations and their uses, in the database.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use taskfold_commands::MadeInvitation;
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_domain::{Role, project};
use taskfold_web::Problem;
use uuid::Uuid;

use crate::http::accounts::tokens::digest;
use crate::http::error::ApiError;

/// Lifetime of a reservation that is not confirmed. Longer than any append.
const RESERVATION_SECONDS: f64 = 120.0;

/// A new invitation.
pub struct NewInvitation<'a> {
    pub id: Uuid,
    pub token: &'a str,
    pub project: ProjectId,
    pub role: Role,
    pub created_by: UserId,
    /// The project and the log on which it is made.
    pub made: MadeInvitation,
    /// The API token with which it is made.
    pub api_token: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub max_uses: Option<i64>,
}

pub async fn insert(db: &mut PgConnection, new: NewInvitation<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO invitations
            (invitation_id, project_id, secret_hash, role, created_by, created_at, expires_at, max_uses,
             project_version, api_token_id, made_position, through_team)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8::bigint::integer, $9, $10, $11, $12)
        "#,
        new.id,
        new.project.0,
        digest(new.token),
        new.role.as_str(),
        new.created_by.0,
        new.created_at,
        new.expires_at,
        new.max_uses,
        i64::try_from(new.made.invitation.made_at).unwrap_or(i64::MAX),
        new.api_token,
        new.made.position,
        new.made.invitation.through_team,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Counts an account that is created with an invitation. False: it has created as many as it has uses.
pub async fn count_sign_up(db: &mut PgConnection, id: Uuid) -> sqlx::Result<bool> {
    let counted = sqlx::query!(
        "UPDATE invitations SET sign_ups = sign_ups + 1 WHERE invitation_id = $1 AND (max_uses IS NULL OR sign_ups < max_uses)",
        id,
    )
    .execute(db)
    .await?;
    Ok(counted.rows_affected() == 1)
}

/// Revokes an invitation, unless it is revoked already. False: it does not exist.
pub async fn revoke(pool: &PgPool, project: ProjectId, id: Uuid) -> sqlx::Result<bool> {
    let revoked = sqlx::query!(
        r#"
        UPDATE invitations SET revoked_at = coalesce(revoked_at, now())
        WHERE invitation_id = $1 AND project_id = $2
        "#,
        id,
        project.0,
    )
    .execute(pool)
    .await?;
    Ok(revoked.rows_affected() > 0)
}

/// An invitation.
pub struct Invitation {
    pub id: Uuid,
    project_id: Uuid,
    role: String,
    pub created_by: Uuid,
    pub expires_at: DateTime<Utc>,
    /// Version of the project on which it was made.
    project_version: i64,
    made_position: i64,
    through_team: bool,
    /// Neither expired nor revoked, and the account and the API token with which it was made are in force.
    pub in_force: bool,
    pub used_up: bool,
}

impl Invitation {
    pub fn project(&self) -> ProjectId {
        ProjectId(self.project_id)
    }

    /// The facts that a decision depends on.
    pub fn facts(&self) -> Result<MadeInvitation, ApiError> {
        let circumstances = (self.project_version, self.made_position, self.through_team);
        Ok(made(role_of(self.id, &self.role)?, self.created_by, circumstances))
    }
}

/// An invitation of this role and maker, with the circumstances that its row has: the version of the project, the
/// position of the log, and whether the maker had their authority through a team.
pub fn made(role: Role, made_by: Uuid, (version, position, through_team): (i64, i64, bool)) -> MadeInvitation {
    let made_by = UserId(made_by);
    let invitation = project::Invitation { role, made_by, made_at: version.unsigned_abs(), through_team };
    MadeInvitation { invitation, position }
}

/// The role of the invitation with this id, as it is stored.
pub fn role_of(id: Uuid, stored: &str) -> Result<Role, ApiError> {
    let role = Role::ALL.into_iter().find(|role| role.as_str() == stored);
    role.ok_or_else(|| Problem::internal(&format!("invitations.role of {id}: {stored}")).into())
}

/// The invitation with this token, even if it is no longer in force.
pub async fn find(pool: &PgPool, token: &str) -> sqlx::Result<Option<Invitation>> {
    sqlx::query_as!(
        Invitation,
        r#"
        SELECT invitation_id AS id, project_id, role, created_by, expires_at,
               coalesce(project_version, 0) AS "project_version!", coalesce(made_position, 0) AS "made_position!",
               through_team,
               (revoked_at IS NULL AND expires_at > now() AND taskfold_account_lives(created_by)
                AND taskfold_token_lives(api_token_id)) AS "in_force!",
               coalesce(taskfold_invitation_uses(invitation_id) >= max_uses, false) AS "used_up!"
        FROM invitations WHERE secret_hash = $1
        "#,
        digest(token),
    )
    .fetch_optional(pool)
    .await
}

/// The use of an invitation by a user, with one command.
#[derive(Clone, Copy)]
pub struct InvitationUse {
    pub invitation: Uuid,
    pub user: UserId,
    pub command_id: Uuid,
}

/// Outcome of [`reserve`].
pub enum Reservation {
    Reserved,
    /// The invitation is used up, or no longer in force.
    UsedUp,
    /// The last use is reserved by another request of the same user.
    HeldByOtherRequest,
}

/// Reserves a use. Locks the row of the invitation, so that two requests cannot take the same one.
pub async fn reserve(pool: &PgPool, this: InvitationUse) -> sqlx::Result<Reservation> {
    let mut tx = pool.begin().await?;
    let invitation = sqlx::query!(
        r#"
        SELECT max_uses FROM invitations
        WHERE invitation_id = $1 AND revoked_at IS NULL AND expires_at > now()
        FOR UPDATE
        "#,
        this.invitation,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(invitation) = invitation else { return Ok(Reservation::UsedUp) };
    // In a statement of its own, which sees the uses that were committed before the lock was acquired.
    let uses = sqlx::query!(
        r#"
        SELECT coalesce(bool_or(command_id = $3 AND (reserved_until IS NULL OR reserved_until > now())), false)
                   AS "by_this_request!",
               coalesce(bool_or(command_id <> $3 AND reserved_until > now()), false) AS "by_other_request!",
               taskfold_invitation_uses($1) AS "total!"
        FROM invitation_uses WHERE invitation_id = $1 AND user_id = $2
        "#,
        this.invitation,
        this.user.0,
        this.command_id,
    )
    .fetch_one(&mut *tx)
    .await?;
    // A repeated request has its use already, unless the reservation has expired.
    if !uses.by_this_request && invitation.max_uses.is_some_and(|max| uses.total >= i64::from(max)) {
        return Ok(if uses.by_other_request { Reservation::HeldByOtherRequest } else { Reservation::UsedUp });
    }
    sqlx::query!(
        r#"
        INSERT INTO invitation_uses (invitation_id, user_id, command_id, reserved_until)
        VALUES ($1, $2, $3, now() + make_interval(secs => $4))
        ON CONFLICT (invitation_id, user_id, command_id) DO UPDATE SET reserved_until = excluded.reserved_until
        WHERE invitation_uses.reserved_until IS NOT NULL
        "#,
        this.invitation,
        this.user.0,
        this.command_id,
        RESERVATION_SECONDS,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Reservation::Reserved)
}

pub async fn confirm(pool: &PgPool, this: InvitationUse) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        INSERT INTO invitation_uses (invitation_id, user_id, command_id) VALUES ($1, $2, $3)
        ON CONFLICT (invitation_id, user_id, command_id) DO UPDATE SET reserved_until = NULL
        "#,
        this.invitation,
        this.user.0,
        this.command_id,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Releases a reservation, unless it was confirmed.
pub async fn release(pool: &PgPool, this: InvitationUse) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        DELETE FROM invitation_uses
        WHERE invitation_id = $1 AND user_id = $2 AND command_id = $3 AND reserved_until IS NOT NULL
        "#,
        this.invitation,
        this.user.0,
        this.command_id,
    )
    .execute(pool)
    .await?;
    Ok(())
}
