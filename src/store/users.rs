//! Queries of users. A user belongs to no organization: what an organization may see of one is its member.

pub use super::entities::users::Model as User;

use super::Conn;
use super::entities::users::{Column, Entity};
use super::error::StoreError;
use crate::model::email::EmailAddress;
use crate::model::id::UserId;
use crate::model::random::Random;
use crate::model::time::Timestamp;
use sea_orm::sea_query::{Alias, Expr, Func, OnConflict};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};

/// A user by id.
pub async fn find(conn: &impl Conn, id: UserId) -> Result<Option<User>, StoreError> {
    Ok(Entity::find_by_id(id).one(conn.inner()).await?)
}

/// The user who has this address.
pub async fn find_by_email(conn: &impl Conn, email: &EmailAddress) -> Result<Option<User>, StoreError> {
    Ok(Entity::find().filter(Column::Email.eq(email.clone())).one(conn.inner()).await?)
}

/// The user who has this address, made now (with the address unproven) if there is none. Two callers at once get the
/// same user.
pub async fn obtain(
    conn: &impl Conn,
    email: &EmailAddress,
    now: Timestamp,
    random: &dyn Random,
) -> Result<User, StoreError> {
    if let Some(user) = find_by_email(conn, email).await? {
        return Ok(user);
    }
    let user = User {
        id: UserId::random(random),
        email: Some(email.clone()),
        email_proven_at: None,
        created_at: now,
    };
    let conflict = OnConflict::column(Column::Email).do_nothing().to_owned();
    Entity::insert(user.clone().into_active_model().reset_all())
        .on_conflict(conflict)
        .exec_without_returning(conn.inner())
        .await?;
    find_by_email(conn, email)
        .await?
        .ok_or_else(|| StoreError::Other("a user vanished while it was made".to_owned()))
}

/// The user who has this address, made now if there is none, with the address proven either way; and whether the user
/// is new. One statement: two callers at once get the same user, the second waiting until the first is done.
pub async fn obtain_proven(
    conn: &impl Conn,
    email: &EmailAddress,
    now: Timestamp,
    random: &dyn Random,
) -> Result<(User, bool), StoreError> {
    let id = UserId::random(random);
    let user = User { id, email: Some(email.clone()), email_proven_at: Some(now), created_at: now };
    let proven_before = Expr::col((Entity, Column::EmailProvenAt));
    let proven_now = Expr::col((Alias::new("excluded"), Column::EmailProvenAt));
    let conflict = OnConflict::column(Column::Email)
        .value(Column::EmailProvenAt, Func::coalesce([proven_before, proven_now]))
        .to_owned();
    let user = Entity::insert(user.into_active_model().reset_all())
        .on_conflict(conflict)
        .exec_with_returning(conn.inner())
        .await?;
    let fresh = user.id == id;
    Ok((user, fresh))
}

/// Notes that the address was proven.
pub async fn set_proven(conn: &impl Conn, id: UserId, now: Timestamp) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::EmailProvenAt, now.into())
        .filter(Column::Id.eq(id))
        .exec(conn.inner())
        .await?;
    Ok(())
}

/// Gives the user another address, proven by a verified domain's IdP.
/// [`StoreError::Conflict`] with `UserEmail` if somebody else has it.
pub async fn set_email(
    conn: &impl Conn,
    id: UserId,
    email: &EmailAddress,
    now: Timestamp,
) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::Email, email.clone().into())
        .col_expr(Column::EmailProvenAt, now.into())
        .filter(Column::Id.eq(id))
        .exec(conn.inner())
        .await?;
    Ok(())
}
