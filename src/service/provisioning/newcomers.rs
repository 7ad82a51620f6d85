//! The short way of POST: somebody whom nobody knows yet, as most people of a first sync are. Those who come while others
//! of their directory are being written are written together, by one statement: one commit for all of them, and each
//! answer as if it had come alone.

use super::create::told_of_creation;
use super::person::{Outcome, event, joining, told_of_joining};
use super::{DirectoryUser, Refusal};
use crate::model::email::EmailAddress;
use crate::model::event::EventKind;
use crate::model::id::{DirectoryId, DirectoryUserId, UserId};
use crate::model::random::Random;
use crate::model::state::Role;
use crate::model::tenant::TenantScope;
use crate::service::together::Together;
use crate::service::{Ctx, Services};
use crate::store::error::StoreError;
use crate::store::newcomers::Newcomer;
use crate::store::users::User;
use crate::store::{self, Db};
use std::collections::HashSet;
use std::sync::Arc;

/// What became of somebody on the short way.
pub(super) enum Admission {
    Admitted(DirectoryUser),
    /// Nothing was written; the long way decides.
    NotSoPlain(DirectoryUser),
}

/// Those who come while others of their directory are being written, until they are written together.
pub type Newcomers = Together<(TenantScope, DirectoryId), Newcomer, (Newcomer, Result<bool, StoreError>)>;

/// The short way for most people of a first sync: somebody whom nobody knows yet, in one statement, together with
/// whoever comes at the same time. Not the way if this is not so plain a case, or the database cannot.
pub(super) async fn admit(
    services: &Services,
    ctx: &Ctx,
    scope: TenantScope,
    address: &EmailAddress,
    mut row: DirectoryUser,
) -> Result<Admission, Refusal> {
    if !store::newcomers::can_admit(&services.db) {
        return Ok(Admission::NotSoPlain(row));
    }
    let id = UserId::random(&*services.random);
    let user = User { id, email: Some(address.clone()), email_proven_at: Some(ctx.now), created_at: ctx.now };
    let member = joining(ctx, scope, id, address, &row, Role::Member);
    row.user_id = Some(id);
    let told = told_of_creation(&row, Outcome::Added.as_str());
    let events = [
        event(ctx, scope, EventKind::MemberAdded, id, told_of_joining(address, member.role)),
        event(ctx, scope, EventKind::DirectoryUserCreated, row.id, told),
    ];
    let directory = row.directory_id;
    let newcomer = Newcomer { user, member, directory_user: row, events };
    let (db, random) = (services.db.clone(), Arc::clone(&services.random));
    let write = move |newcomers| {
        let (db, random) = (db.clone(), Arc::clone(&random));
        async move { admit_together(&db, scope, directory, newcomers, &*random).await }
    };
    let done =
        services.newcomers.take_part((scope, directory), newcomer, store::newcomers::share, write).await;
    let (Newcomer { directory_user: mut row, .. }, admitted) =
        done.ok_or_else(|| StoreError::Unavailable("the writing of this person broke off".to_owned()))?;
    if admitted? {
        return Ok(Admission::Admitted(row));
    }
    row.user_id = None;
    Ok(Admission::NotSoPlain(row))
}

/// Writes newcomers at once; if one of them is in the way of the others, one by one. Gives each back, with whether it was
/// written.
async fn admit_together(
    db: &Db,
    scope: TenantScope,
    directory: DirectoryId,
    newcomers: Vec<Newcomer>,
    random: &dyn Random,
) -> Vec<(Newcomer, Result<bool, StoreError>)> {
    let result = |newcomer: Newcomer, written: &Result<HashSet<DirectoryUserId>, StoreError>| {
        let is_written = |written: &HashSet<_>| written.contains(&newcomer.directory_user.id);
        let result = written.as_ref().map(is_written).map_err(Clone::clone);
        (newcomer, result)
    };
    let written = store::newcomers::admit(db, scope, directory, &newcomers, random).await;
    let alone = match &written {
        Err(StoreError::Unavailable(_)) | Ok(_) => false,
        // Whatever is wrong with one is not to be the others' fault.
        Err(_) => newcomers.len() > 1,
    };
    if !alone {
        return newcomers.into_iter().map(|newcomer| result(newcomer, &written)).collect();
    }
    let mut results = Vec::with_capacity(newcomers.len());
    for newcomer in newcomers {
        let written =
            store::newcomers::admit(db, scope, directory, std::slice::from_ref(&newcomer), random).await;
        results.push(result(newcomer, &written));
    }
    results
}
