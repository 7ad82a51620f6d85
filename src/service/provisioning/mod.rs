//! Provisioning: what a directory's IdP pushes over SCIM, kept as directory users and carried to members.
//!
//! The rules in short. An IdP speaks only for the verified domains assigned to its directory (rule 6): anybody else is
//! refused or held, as the directory is set. A person on such a domain becomes a user and member, is adopted if
//! already a member, and takes up a pending invite. `active` false and DELETE end every way in, in the same
//! transaction (rule 11); what SCIM deactivated SCIM gives back as an ordinary member, what an administrator
//! deactivated stays so (rule 13): the directory user then says what the IdP sent, the member says who may enter.
//! A credential that is bound to one domain is confined to the users whose address is on it: it makes no other, moves
//! nobody to another domain, and to it the others are not there, neither to read nor to change; only a userName of one of
//! them that is not an address is found taken (it names one user in the whole directory, or its other credentials could
//! not look anybody up by it). Each change is one transaction with its events; what changes nothing moves neither version
//! nor `lastModified`.

pub mod bulk;
mod change;
mod create;
pub mod groups;
pub mod listing;
mod look_ups;
mod newcomers;
mod person;
mod read;
mod remove;
pub mod roles_offered;

pub use crate::store::directory_users::DirectoryUser;
pub use change::{Edit, change};
pub use create::create;
pub use listing::list;
pub use look_ups::LookUps;
pub use newcomers::Newcomers;
pub use read::{Users, find};
pub use remove::remove;

use self::listing::Listing as _;
use super::{Ctx, Error, Services, roles};
use crate::model::actor::Actor;
use crate::model::email::EmailAddress;
use crate::protocol::scim::{Meta, ResourceType, ScimError, UserResource, etag, fold};
use crate::store::error::{StoreError, UniqueKey};
use serde_json::Value;

/// How often a change is begun again because somebody else made the same member at the same time.
const ATTEMPTS: u32 = 4;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// In the words of the protocol.
    #[error(transparent)]
    Scim(#[from] ScimError),
    /// In the words of every use case.
    #[error(transparent)]
    Other(#[from] Error),
    /// Somebody else made the same member at the same time: worth another try, with what is there now.
    #[error("somebody else makes the same member")]
    Race,
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(UniqueKey::DirectoryUserName) => Self::Scim(name_taken()),
            StoreError::Conflict(UniqueKey::DirectoryUserUser) => Self::Scim(ScimError::uniqueness(
                "Another user of this directory stands for the person with this e-mail address.",
            )),
            StoreError::Conflict(UniqueKey::UserEmail) => Self::Scim(ScimError::uniqueness(
                "This e-mail address is in use by another person; a person's address cannot be changed to it.",
            )),
            StoreError::Conflict(UniqueKey::DirectoryGroupName) => Self::Scim(ScimError::uniqueness(
                "Another group of this directory has this displayName; names are compared without case.",
            )),
            StoreError::Conflict(UniqueKey::Member) | StoreError::Dangling => Self::Race,
            other => Self::Other(other.into()),
        }
    }
}

fn name_taken() -> ScimError {
    ScimError::uniqueness(
        "Another user of this directory has this userName; userNames are compared without case.",
    )
}

/// Begins a change anew as often as somebody else came between, [`ATTEMPTS`] times at most; then refuses as `lost`
/// says.
async fn persist<T, F>(lost: fn() -> ScimError, attempt: impl Fn() -> F) -> Result<T, Refusal>
where
    F: Future<Output = Result<T, Refusal>>,
{
    for _ in 0..ATTEMPTS {
        match attempt().await {
            Err(Refusal::Race) => {}
            done => return done,
        }
    }
    Err(lost().into())
}

/// The race for a member was lost each time.
fn lost() -> ScimError {
    ScimError::uniqueness(
        "This person is being made elsewhere at this moment. Look the person up, then try again.",
    )
}

/// The person as a SCIM User in normal form. `active` is what it is now, and only missing where a PATCH took it away.
pub fn resource(row: &DirectoryUser) -> UserResource {
    let mut resource = UserResource::from_value(row.attributes.clone());
    if resource.active().is_some() {
        // Besides, this puts the attributes in the order of the tables, which JSONB does not keep.
        resource.set_active(row.active);
    }
    resource
}

/// The entity tag.
pub fn version(row: &DirectoryUser) -> String {
    etag::weak(row.version)
}

/// The absolute URL of the resource.
pub fn location(services: &Services, row: &DirectoryUser) -> String {
    Users::location(services, row.id.uuid())
}

/// The representation that leaves, by the tables of the directory.
pub fn representation(services: &Services, users: &ResourceType, row: &DirectoryUser) -> Value {
    let meta = Meta {
        created: row.created_at.to_string(),
        last_modified: row.updated_at.to_string(),
        location: location(services, row),
        version: version(row),
    };
    resource(row).to_json_as(users, &row.id.uuid().to_string(), &meta)
}

fn not_found(id: &str) -> Refusal {
    ScimError::not_found("User", id).into()
}

/// Whether a directory user is there for whoever asks: a credential that is bound to one domain meets only those whose
/// address is on it.
fn within_reach(ctx: &Ctx, row: &DirectoryUser) -> bool {
    match &ctx.actor {
        Actor::Directory { domain: Some(domain), .. } => {
            row.address.as_ref().is_some_and(|address| address.domain() == domain.as_str())
        }
        _ => true,
    }
}

/// The address of the person by rule 7, if there is one.
fn address(resource: &UserResource) -> Option<EmailAddress> {
    let text = resource.address(|text| EmailAddress::parse(text).is_ok())?;
    EmailAddress::parse(text).ok()
}

/// Writes what a resource says into the columns that are made from it, but for `active`, address and user.
fn fill(row: &mut DirectoryUser, resource: UserResource) {
    resource.user_name().clone_into(&mut row.user_name);
    row.user_name_key = fold(resource.user_name());
    row.external_id = resource.external_id().map(str::to_owned);
    row.given_name = resource.given_name().map(str::to_owned);
    row.family_name = resource.family_name().map(str::to_owned);
    row.display_name = resource.shown_name();
    (row.email_key, row.more_emails) = {
        let mut others =
            resource.emails().map(|email| fold(email.value)).filter(|key| *key != row.user_name_key);
        let first = others.next();
        let more = others.any(|key| Some(&key) != first.as_ref());
        (first, more)
    };
    row.asserted_role = resource.roles().filter_map(roles::named).max();
    row.attributes = resource.into_value();
}

/// Refuses unless a row at this version is at one that `If-Match` names.
fn check_version(version: i64, if_match: Option<&str>) -> Result<(), ScimError> {
    let current = etag::weak(version);
    if etag::if_match(if_match, &current) { Ok(()) } else { Err(ScimError::precondition_failed(&current)) }
}
