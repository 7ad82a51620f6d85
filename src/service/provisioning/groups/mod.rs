//! Directory groups: what the IdP pushes to `/Groups`, and who is in them.
//!
//! Each change is one transaction with its events. The group's row is locked first, so that changes of one group go
//! one after the other and nobody's is lost; who comes and who goes is one statement each way, whatever the size of
//! the group. Lists of members in events are cut into pieces, so that an event stays small.

mod change;
mod create;
mod members;
mod of_users;
mod read;
mod remove;

pub use crate::store::directory_groups::DirectoryGroup;
pub use change::{GroupEdit, change};
pub use create::create;
pub use of_users::attach;
pub(super) use of_users::{any as any_group, by_user as groups_by_user, show};
pub use read::{Groups, find, members};
pub use remove::remove;

pub(super) use of_users::leave_all;

use super::Refusal;
use super::listing::Listing as _;
use super::person::Change;
use crate::model::event::EventKind;
use crate::model::id::{DirectoryGroupId, DirectoryUserId};
use crate::protocol::scim::{GroupResource, Meta, ScimError, etag, fold};
use crate::service::Services;
use serde_json::{Value, json};

/// Above so many members a PATCH is answered without a body, unless attributes are asked for.
pub const LARGE: i64 = 200;
/// Ids of members in one event at most.
const IDS_IN_EVENT: usize = 1_000;

/// The group as a SCIM Group in normal form, without its members.
fn resource(row: &DirectoryGroup) -> GroupResource {
    GroupResource::from_value(row.attributes.clone())
}

/// The entity tag.
pub fn version(row: &DirectoryGroup) -> String {
    etag::weak(row.version)
}

/// The absolute URL of the resource.
pub fn location(services: &Services, row: &DirectoryGroup) -> String {
    Groups::location(services, row.id.uuid())
}

/// The representation that leaves, without members.
pub fn representation(services: &Services, row: &DirectoryGroup) -> Value {
    let meta = Meta {
        created: row.created_at.to_string(),
        last_modified: row.updated_at.to_string(),
        location: location(services, row),
        version: version(row),
    };
    resource(row).to_json(&row.id.uuid().to_string(), &meta)
}

fn not_found(id: &str) -> Refusal {
    ScimError::not_found("Group", id).into()
}

/// Somebody who was to become a member was deleted at that moment each time.
fn lost() -> ScimError {
    ScimError::new(
        409,
        "Somebody who was to become a member is being deleted at this moment. Nothing was changed; try again.",
    )
}

/// Writes what a resource says into the columns that are made from it.
fn fill(row: &mut DirectoryGroup, resource: GroupResource) {
    resource.display_name().clone_into(&mut row.display_name);
    row.display_name_key = fold(resource.display_name());
    row.external_id = resource.external_id().map(str::to_owned);
    row.attributes = resource.into_value();
}

/// Notes who came or went, in pieces.
fn tell_members(change: &mut Change<'_>, kind: EventKind, row: &DirectoryGroup, users: &[DirectoryUserId]) {
    for piece in users.chunks(IDS_IN_EVENT) {
        let data = json!({
            "display_name": row.display_name,
            "count": piece.len(),
            "directory_user_ids": piece,
        });
        change.event(kind, row.id, data);
    }
}
