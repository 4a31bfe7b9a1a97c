use chrono::{DateTime, Utc};
use sqlx::PgPool;
use taskfold_domain::Role;
use taskfold_domain::ids::{ProjectId, UserId};
use taskfold_web::Problem;
use uuid::Uuid;

use crate::http::accounts::tokens::digest;
use crate::http::error::ApiError;

/// For how long a place is held without being confirmed: longer than any append takes.
const HELD_SECONDS: f64 = 120.0;

pub struct NewInvitation<'a> {
    pub id: Uuid,
    pub token: &'a str,
    pub project: ProjectId,
    pub role: Role,
    pub by: UserId,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub max_uses: Option<i64>,
}

pub async fn insert(pool: &PgPool, new: NewInvitation<'_>) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO invitations (invitation_id, project_id, secret_hash, role, created_by, created_at, expires_at, \
                                  max_uses) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8::bigint::integer)",
    )
    .bind(new.id)
    .bind(new.project.0)
    .bind(digest(new.token))
    .bind(new.role.as_str())
    .bind(new.by.0)
    .bind(new.created_at)
    .bind(new.expires_at)
    .bind(new.max_uses)
    .execute(pool)
    .await?;
    Ok(())
}

/// Whether there is such an invitation; the first time counts.
pub async fn revoke(pool: &PgPool, project: ProjectId, id: Uuid) -> sqlx::Result<bool> {
    let revoked = sqlx::query(
        "UPDATE invitations SET revoked_at = coalesce(revoked_at, now()) \
         WHERE invitation_id = $1 AND project_id = $2",
    )
    .bind(id)
    .bind(project.0)
    .execute(pool)
    .await?;
    Ok(revoked.rows_affected() > 0)
}

#[derive(sqlx::FromRow)]
pub struct Invitation {
    #[sqlx(rename = "invitation_id")]
    pub id: Uuid,
    project_id: Uuid,
    role: String,
    pub created_by: Uuid,
    pub expires_at: DateTime<Utc>,
    /// Neither expired nor revoked.
    pub in_force: bool,
    pub used_up: bool,
}

impl Invitation {
    pub fn project(&self) -> ProjectId {
        ProjectId(self.project_id)
    }

    pub fn role(&self) -> Result<Role, ApiError> {
        [Role::Viewer, Role::Member, Role::Admin, Role::Owner]
            .into_iter()
            .find(|role| role.as_str() == self.role)
            .ok_or_else(|| Problem::internal(&format!("invitations.role of {}: {}", self.id, self.role)).into())
    }
}

/// By the token as it was given, also when it is over.
pub async fn find(pool: &PgPool, token: &str) -> sqlx::Result<Option<Invitation>> {
    sqlx::query_as(
        "SELECT invitation_id, project_id, role, created_by, expires_at, \
                revoked_at IS NULL AND expires_at > now() AS in_force, \
                coalesce(taskfold_invitation_uses(invitation_id) >= max_uses, false) AS used_up \
         FROM invitations WHERE secret_hash = $1",
    )
    .bind(digest(token))
    .fetch_optional(pool)
    .await
}

/// One person's use of an invitation, by one command.
#[derive(Clone, Copy)]
pub struct Use {
    pub invitation: Uuid,
    pub user: UserId,
    pub command_id: Uuid,
}

pub enum Reserved {
    Yes,
    /// Nobody can join by it any more.
    No,
    /// The last place is.
    ByAnotherRequestOfTheirs,
}

/// Holds a place for this use. The invitation's row is locked meanwhile, so that two cannot count the same free place.
pub async fn reserve(pool: &PgPool, this: Use) -> sqlx::Result<Reserved> {
    let mut tx = pool.begin().await?;
    let max_uses: Option<Option<i32>> = sqlx::query_scalar(
        "SELECT max_uses FROM invitations \
         WHERE invitation_id = $1 AND revoked_at IS NULL AND expires_at > now() FOR UPDATE",
    )
    .bind(this.invitation)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(max_uses) = max_uses else { return Ok(Reserved::No) };
    // In a statement of its own: it sees what was counted before the lock was got.
    let (mine, theirs, uses): (bool, bool, i64) = sqlx::query_as(
        "SELECT coalesce(bool_or(command_id = $3 AND (reserved_until IS NULL OR reserved_until > now())), false), \
                coalesce(bool_or(command_id <> $3 AND reserved_until > now()), false), taskfold_invitation_uses($1) \
         FROM invitation_uses WHERE invitation_id = $1 AND user_id = $2",
    )
    .bind(this.invitation)
    .bind(this.user.0)
    .bind(this.command_id)
    .fetch_one(&mut *tx)
    .await?;
    // The same request again has its place already, unless that was held for too long.
    if !mine && max_uses.is_some_and(|max| uses >= i64::from(max)) {
        return Ok(if theirs { Reserved::ByAnotherRequestOfTheirs } else { Reserved::No });
    }
    sqlx::query(
        "INSERT INTO invitation_uses (invitation_id, user_id, command_id, reserved_until) \
         VALUES ($1, $2, $3, now() + make_interval(secs => $4)) \
         ON CONFLICT (invitation_id, user_id, command_id) DO UPDATE SET reserved_until = excluded.reserved_until \
         WHERE invitation_uses.reserved_until IS NOT NULL",
    )
    .bind(this.invitation)
    .bind(this.user.0)
    .bind(this.command_id)
    .bind(HELD_SECONDS)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Reserved::Yes)
}

pub async fn confirm(pool: &PgPool, this: Use) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO invitation_uses (invitation_id, user_id, command_id) VALUES ($1, $2, $3) \
         ON CONFLICT (invitation_id, user_id, command_id) DO UPDATE SET reserved_until = NULL",
    )
    .bind(this.invitation)
    .bind(this.user.0)
    .bind(this.command_id)
    .execute(pool)
    .await?;
    Ok(())
}

/// Gives the place back, unless it was confirmed.
pub async fn release(pool: &PgPool, this: Use) -> sqlx::Result<()> {
    sqlx::query(
        "DELETE FROM invitation_uses \
         WHERE invitation_id = $1 AND user_id = $2 AND command_id = $3 AND reserved_until IS NOT NULL",
    )
    .bind(this.invitation)
    .bind(this.user.0)
    .bind(this.command_id)
    .execute(pool)
    .await?;
    Ok(())
}
