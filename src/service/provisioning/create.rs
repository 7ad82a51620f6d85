//! POST: a new directory user, and the member behind it where rule 6 allows one.

use super::newcomers::{Admission, admit};
use super::person::{Change, may_stand_on};
use super::{ATTEMPTS, DirectoryUser, Refusal, address, fill, lost, name_taken, persist, within_reach};
use crate::model::event::EventKind;
use crate::model::id::{DirectoryId, DirectoryUserId};
use crate::model::tenant::TenantScope;
use crate::protocol::scim::{ScimError, UserResource, fold};
use crate::service::permissions;
use crate::service::roles::{self, People};
use crate::service::schemas::in_force;
use crate::service::{Ctx, Services};
use crate::store::{self, Tx};
use serde_json::{Value, json};

/// Creates a directory user from a SCIM User.
///
/// # Errors
/// 409 `uniqueness` if the userName is taken, or another directory user stands for the same person; 400 `invalidValue`
/// for an address outside of the directory's domains, unless the directory holds such people; 403 if that would make
/// a member and the organization's mode is `manual`.
pub async fn create(
    services: &Services,
    ctx: &Ctx,
    resource: &UserResource,
) -> Result<DirectoryUser, Refusal> {
    let (scope, directory, _) = permissions::directory_part(ctx)?;
    match persist(lost, || attempt(services, ctx, scope, directory, resource.clone())).await {
        Err(Refusal::Scim(error)) if error.status == 409 => {
            // Somebody with both the userName and the address is there: which of the two a database minds first is no
            // answer to an administrator, to whom the userName says more.
            let key = fold(resource.user_name());
            let same = store::directory_users::find_by_name(&services.db, scope, directory, &key).await?;
            let same = same.is_some_and(|row| within_reach(ctx, &row));
            Err(if same { name_taken() } else { error }.into())
        }
        done => done,
    }
}

async fn attempt(
    services: &Services,
    ctx: &Ctx,
    scope: TenantScope,
    directory: DirectoryId,
    resource: UserResource,
) -> Result<DirectoryUser, Refusal> {
    let id = DirectoryUserId::new(ctx.now, &*services.random);
    let own = resource.has_own();
    let mut row = draft(ctx, scope, directory, id, resource);
    let plain = row.active && row.asserted_role.is_none() && !own;
    if let Some(address) = row.address.clone().filter(|address| plain && may_stand_on(ctx, address)) {
        match admit(services, ctx, scope, &address, row).await? {
            Admission::Admitted(admitted) => return Ok(admitted),
            Admission::NotSoPlain(back) => row = back,
        }
    }
    let tx = services.begin().await?;
    if own {
        fit(services, &tx, scope, &mut row).await?;
    }
    let heeded = row.asserted_role.is_some() && store::directories::heeds_roles(&tx, scope).await?;
    let row = make(services, ctx, &tx, scope, (row, heeded)).await?;
    tx.commit().await?;
    Ok(row)
}

/// Creates several directory users in one transaction, with ids that were given beforehand because they refer to each
/// other: all or none.
///
/// # Errors
/// As for [`create`], with the place of the one that is refused.
pub(super) async fn create_together(
    services: &Services,
    ctx: &Ctx,
    resources: &[(DirectoryUserId, UserResource)],
) -> Result<Vec<DirectoryUser>, (usize, Refusal)> {
    let (scope, directory, _) = permissions::directory_part(ctx).map_err(|error| (0, error.into()))?;
    for _ in 0..ATTEMPTS {
        match together(services, ctx, scope, directory, resources).await {
            Err((_, Refusal::Race)) => {}
            done => return done,
        }
    }
    Err((0, lost().into()))
}

async fn together(
    services: &Services,
    ctx: &Ctx,
    scope: TenantScope,
    directory: DirectoryId,
    resources: &[(DirectoryUserId, UserResource)],
) -> Result<Vec<DirectoryUser>, (usize, Refusal)> {
    let tx = services.begin().await.map_err(|error| (0, error.into()))?;
    let mut drafts = Vec::with_capacity(resources.len());
    for (index, (id, resource)) in resources.iter().enumerate() {
        let mut row = draft(ctx, scope, directory, *id, resource.clone());
        if resource.has_own() {
            fit(services, &tx, scope, &mut row).await.map_err(|refusal| (index, refusal))?;
        }
        drafts.push(row);
    }
    // Before any member is locked, once for all.
    let heeded = store::directories::heeds_roles(&tx, scope).await.map_err(|error| (0, error.into()))?;
    let mut rows = Vec::with_capacity(resources.len());
    for (index, row) in drafts.into_iter().enumerate() {
        let heeded = heeded && row.asserted_role.is_some();
        let made = make(services, ctx, &tx, scope, (row, heeded)).await;
        rows.push(made.map_err(|refusal| (index, refusal))?);
    }
    tx.commit().await.map_err(|error| (0, error.into()))?;
    Ok(rows)
}

/// Reads the values of the directory's own schemas again, by the schemas in force: those that the body was read by may
/// have been changed since.
async fn fit(
    services: &Services,
    tx: &Tx,
    scope: TenantScope,
    row: &mut DirectoryUser,
) -> Result<(), Refusal> {
    let users = in_force(services, tx, scope, row.directory_id).await?;
    let resource = UserResource::from_value(row.attributes.take());
    row.attributes = resource.refit(&users)?.into_value();
    Ok(())
}

/// The row of a new directory user, without the user behind it.
fn draft(
    ctx: &Ctx,
    scope: TenantScope,
    directory: DirectoryId,
    id: DirectoryUserId,
    mut resource: UserResource,
) -> DirectoryUser {
    resource.default_active(None);
    let active = resource.active().unwrap_or(true);
    let address = address(&resource);
    let mut row = DirectoryUser {
        id,
        organization_id: scope.organization(),
        directory_id: directory,
        user_name: String::new(),
        user_name_key: String::new(),
        external_id: None,
        active,
        address,
        user_id: None,
        given_name: None,
        family_name: None,
        display_name: None,
        email_key: None,
        more_emails: false,
        asserted_role: None,
        attributes: Value::Null,
        created_at: ctx.now,
        updated_at: ctx.now,
        version: 1,
    };
    fill(&mut row, resource);
    row
}

/// The long way: whoever the person is to the organization already, and whether the role that is said of the person is
/// heeded. All of it but the commit.
async fn make(
    services: &Services,
    ctx: &Ctx,
    tx: &Tx,
    scope: TenantScope,
    (mut row, heeded): (DirectoryUser, bool),
) -> Result<DirectoryUser, Refusal> {
    let mut change = Change { services, ctx, tx, scope, events: Vec::with_capacity(2) };
    let mut became = "held";
    match (change.footing(row.address.as_ref()).await?, &row.address) {
        (Some(footing), Some(address)) => {
            let address = address.clone();
            let Some((user, outcome)) = change.take_in(footing, &address, &row).await? else {
                return Err(ScimError::new(
                    403,
                    "This organization lets in people by hand only (its provisioning mode is \"manual\"), and nobody \
                     with this address is a member. Ask an administrator to invite this person, or to change the mode.",
                )
                .into());
            };
            row.user_id = Some(user);
            became = outcome.as_str();
        }
        _ => {
            if !change.holds().await? {
                return Err(change.foreign(row.address.as_ref(), &row.user_name).await?);
            }
        }
    }
    store::directory_users::insert(tx, row.clone()).await?;
    change.event(EventKind::DirectoryUserCreated, row.id, told_of_creation(&row, became));
    change.flush().await?;
    if heeded && row.user_id.is_some() {
        roles::settle(services, tx, ctx, scope, People::DirectoryUsers(&[row.id])).await?;
    }
    Ok(row)
}

/// What the event of a new directory user tells.
pub(super) fn told_of_creation(row: &DirectoryUser, became: &str) -> Value {
    json!({
        "user_name": row.user_name,
        "external_id": row.external_id,
        "active": row.active,
        "user_id": row.user_id,
        "member": became,
    })
}
