//! The schemas that an organization adds to the users of its directory, and the tables that its users are read by.
//!
//! They are read and replaced as a whole. An attribute of which somebody holds a value is neither taken away nor made
//! into something else: the values would be lost or wrong without anybody having said so. So that this holds of values
//! that are on their way, too, whoever writes some reads the schemas anew in the transaction that writes them, and they
//! stay as they are until it ends; people without such values are none of this.

pub use crate::protocol::scim::schema::own::{OwnAttribute, OwnSchema};

use super::organizations::expect_version;
use super::permissions::{Action, directory_part, may};
use super::{Ctx, Error, FieldError, Services};
use crate::model::event::EventKind;
use crate::model::id::{DirectoryId, OrganizationId};
use crate::model::tenant::TenantScope;
use crate::protocol::scim::ResourceType;
use crate::protocol::scim::filter::Filter;
use crate::protocol::scim::schema::{own, shared_user};
use crate::store;
use crate::store::directory_schemas::DirectorySchemas;
use crate::store::scim::{List, Served, Users};
use serde_json::{Value, json};
use std::sync::Arc;

/// The schemas of a directory.
#[derive(Debug, Clone)]
pub struct Schemas {
    pub schemas: Vec<OwnSchema>,
    /// 0 if there never were any.
    pub version: i64,
}

fn missing() -> Error {
    Error::not_found("organization")
}

fn read(row: Option<DirectorySchemas>) -> Result<Schemas, Error> {
    let Some(row) = row else { return Ok(Schemas { schemas: Vec::new(), version: 0 }) };
    let schemas = serde_json::from_value(row.schemas).map_err(|error| {
        Error::Internal(format!("the schemas of {} cannot be read: {error}", row.directory_id))
    })?;
    Ok(Schemas { schemas, version: row.version })
}

/// The schemas of the organization's directory.
pub async fn list(services: &Services, ctx: &Ctx, organization: OrganizationId) -> Result<Schemas, Error> {
    let scope = may(ctx, organization, Action::ReadScim)?;
    let directory = store::directories::find(&services.db, scope).await?.ok_or_else(missing)?;
    read(store::directory_schemas::find(&services.db, scope, directory.id).await?)
}

/// Makes these all the schemas of the organization's directory; they hold from the next request on.
///
/// # Errors
/// [`Error::Forbidden`]; [`Error::Invalid`]; [`Error::PreconditionFailed`]; 409 `schema_in_use` if somebody holds a
/// value of an attribute that would go or be something else.
pub async fn replace(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    expected: Option<i64>,
    wanted: Vec<OwnSchema>,
) -> Result<Schemas, Error> {
    let scope = may(ctx, organization, Action::WriteScim)?;
    let faults = own::check(&wanted);
    if !faults.is_empty() {
        let error =
            |fault: own::Fault| FieldError { field: fault.field, code: fault.code, message: fault.message };
        return Err(Error::Invalid(faults.into_iter().map(error).collect()));
    }
    let document = json!(wanted);
    if document.to_string().len() > own::MAX_BYTES {
        let message = format!("All schemas together have more than {} bytes as JSON.", own::MAX_BYTES);
        return Err(Error::field("schemas", "too_large", message));
    }
    let tx = services.begin().await?;
    let known = store::directories::find(&tx, scope).await?.ok_or_else(missing)?;
    // In the order of whoever writes a user: the schemas, then the directory.
    store::directory_schemas::claim(&tx, known.id).await?;
    let directory = store::directories::lock(&tx, scope).await?.ok_or_else(missing)?;
    let row = store::directory_schemas::find(&tx, scope, directory.id).await?;
    let before = read(row.clone())?;
    expect_version(expected, before.version)?;
    if before.schemas == wanted {
        return Ok(before);
    }
    for attribute in own::broken(&before.schemas, &wanted) {
        let holders = holders(services, &tx, scope, directory.id, &before.schemas, &attribute).await?;
        if holders > 0 {
            return Err(Error::conflict(
                "schema_in_use",
                format!(
                    "{holders} users have a value of \"{attribute}\", which would be lost or wrong. Take the values \
                     away at the identity provider first, or leave the attribute as it is."
                ),
            ));
        }
    }
    let version = if let Some(mut row) = row {
        row.schemas = document;
        row.updated_at = ctx.now;
        store::directory_schemas::update(&tx, scope, row).await?.version
    } else {
        let first = DirectorySchemas {
            directory_id: directory.id,
            organization_id: organization,
            schemas: document,
            updated_at: ctx.now,
            version: 1,
        };
        store::directory_schemas::insert(&tx, first).await?;
        1
    };
    let data = told(&before.schemas, &wanted);
    services.record(&tx, ctx, organization, EventKind::ScimSchemasUpdated, directory.id, data).await?;
    tx.commit().await?;
    services.caches.user_types.clear();
    Ok(Schemas { schemas: wanted, version })
}

/// Which schemas came, went and changed.
fn told(before: &[OwnSchema], after: &[OwnSchema]) -> Value {
    let urns = |these: &[OwnSchema], those: &[OwnSchema], same: bool| -> Vec<String> {
        let found = |schema: &&OwnSchema| match those.iter().find(|other| other.urn == schema.urn) {
            None => !same,
            Some(other) => same && other != *schema,
        };
        these.iter().filter(found).map(|schema| schema.urn.clone()).collect()
    };
    json!({
        "added": urns(after, before, false),
        "removed": urns(before, after, false),
        "changed": urns(after, before, true),
    })
}

/// How many users hold a value of an attribute.
async fn holders(
    services: &Services,
    tx: &store::Tx,
    scope: TenantScope,
    directory: DirectoryId,
    schemas: &[OwnSchema],
    attribute: &str,
) -> Result<u64, Error> {
    let users = own::user_with(schemas);
    let filter = Filter::parse(&users, &format!("{attribute} pr"))
        .map_err(|error| Error::Internal(format!("{attribute} cannot be looked for: {error}")))?;
    let served = Served { location: "", extensions: &[], domain: None, hidden: &[] };
    let list = List::compile::<Users>(&services.db, scope, directory, Some(&filter), None, served).await?;
    Ok(list.count_sure::<Users>(tx).await?)
}

/// The tables that the users of the caller's directory are read by: the built-in ones and those of its own schemas.
///
/// # Errors
/// [`Error::Unauthenticated`] for whoever is no directory.
pub async fn user_type(services: &Services, ctx: &Ctx) -> Result<Arc<ResourceType>, Error> {
    let (scope, directory, _) = directory_part(ctx)?;
    let fetch = || async {
        let found = read(store::directory_schemas::find(&services.db, scope, directory).await?)?;
        Ok::<_, Error>(Some(tables(&found)))
    };
    Ok(services.caches.user_types.get(directory, fetch).await?.unwrap_or_else(shared_user))
}

fn tables(schemas: &Schemas) -> Arc<ResourceType> {
    if schemas.schemas.is_empty() { shared_user() } else { Arc::new(own::user_with(&schemas.schemas)) }
}

/// The tables as they are now, and stay until the transaction ends; for whoever writes values of a directory's own
/// schemas. To be asked before the directory's row is locked.
pub(super) async fn in_force(
    services: &Services,
    tx: &store::Tx,
    scope: TenantScope,
    directory: DirectoryId,
) -> Result<Arc<ResourceType>, Error> {
    store::directory_schemas::keep(tx, directory).await?;
    let version = store::directory_schemas::version(tx, scope, directory).await?;
    let fetch = || async {
        let found = read(store::directory_schemas::find(tx, scope, directory).await?)?;
        Ok::<_, Error>(Some(tables(&found)))
    };
    let known = services.caches.user_type_versions.0.get((directory, version), fetch).await?;
    Ok(known.unwrap_or_else(shared_user))
}
