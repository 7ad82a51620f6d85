//! Organizations: made by the operator, read and changed by those who run them.

pub use crate::store::organizations::Organization;

use super::enforcement::{self, Setting, setting, ways};
use super::permissions::{Action, may, operator};
use super::{Ctx, Error, FieldError, Services};
use crate::model::actor::Actor;
use crate::model::event::EventKind;
use crate::model::id::{DirectoryId, OrganizationId};
use crate::model::page::{Page, PageRequest};
use crate::model::state::{Conformance, FirstLink, ForeignAddresses, ProvisioningMode};
use crate::model::tenant::TenantScope;
use crate::store;
use crate::store::directories::Directory;
use serde_json::{Map, Value, json};

/// Names are at most this long.
const MAX_NAME: usize = 200;
/// The session limits that an organization may set, in seconds: a minute to 30 days.
const SESSION_SECONDS: std::ops::RangeInclusive<i64> = 60..=30 * 24 * 3600;

/// What a new organization is made of.
#[derive(Debug, Clone)]
pub struct CreateOrganization {
    pub name: String,
    /// Made from the name if there is none.
    pub slug: Option<String>,
}

/// What is to change; `None` leaves alone, `Some(None)` clears.
#[derive(Debug, Clone, Default)]
pub struct UpdateOrganization {
    pub name: Option<String>,
    pub slug: Option<String>,
    pub provisioning_mode: Option<ProvisioningMode>,
    pub first_link: Option<FirstLink>,
    pub session_lifetime_seconds: Option<Option<i64>>,
    pub session_idle_seconds: Option<Option<i64>>,
    /// A change of trust.
    pub enforcement: enforcement::Given,
}

fn check_name(name: &str, errors: &mut Vec<FieldError>) -> String {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        errors.push(FieldError {
            field: "name".to_owned(),
            code: "name_invalid",
            message: format!("A name has 1 to {MAX_NAME} characters and no control characters."),
        });
    }
    name.to_owned()
}

/// Refuses a text to search for that no database takes.
pub(super) fn check_search(text: Option<&str>) -> Result<(), Error> {
    match text {
        Some(text) if text.chars().count() > MAX_NAME => {
            let message = format!("At most {MAX_NAME} characters can be searched for.");
            Err(Error::field("search", "too_long", message))
        }
        Some(text) if text.chars().any(char::is_control) => {
            Err(Error::field("search", "search_invalid", "Control characters cannot be searched for."))
        }
        _ => Ok(()),
    }
}

fn check_slug(slug: &str, errors: &mut Vec<FieldError>) {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fine = (3..=50).contains(&slug.len())
        && slug.chars().all(inner)
        && !slug.starts_with('-')
        && !slug.ends_with('-')
        && !slug.contains("--");
    if !fine {
        errors.push(FieldError {
            field: "slug".to_owned(),
            code: "slug_invalid",
            message:
                "A slug has 3 to 50 lower-case letters, digits and single hyphens, such as \"acme-corp\"."
                    .to_owned(),
        });
    }
}

fn check_seconds(field: &str, seconds: Option<i64>, errors: &mut Vec<FieldError>) {
    if let Some(seconds) = seconds
        && !SESSION_SECONDS.contains(&seconds)
    {
        errors.push(FieldError {
            field: field.to_owned(),
            code: "out_of_range",
            message: format!(
                "{seconds} was given; a number of seconds from {} to {} was expected.",
                SESSION_SECONDS.start(),
                SESSION_SECONDS.end()
            ),
        });
    }
}

/// A slug from a name, with a random tail so that two companies of one name do not meet.
fn slug_from(services: &Services, name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= 40 {
            break;
        }
    }
    let mut tail = [0_u8; 3];
    services.random.fill(&mut tail);
    let stem = slug.trim_matches('-');
    let stem = if stem.is_empty() { "organization" } else { stem };
    format!("{stem}-{:02x}{:02x}{:02x}", tail[0], tail[1], tail[2])
}

/// Makes an organization, with its directory. Only the operator does.
///
/// # Errors
/// [`Error::Invalid`] for a wrong name or slug; [`Error::Conflict`] `slug_taken`.
pub async fn create(services: &Services, ctx: &Ctx, new: CreateOrganization) -> Result<Organization, Error> {
    operator(ctx)?;
    let mut errors = Vec::new();
    let name = check_name(&new.name, &mut errors);
    if let Some(slug) = &new.slug {
        check_slug(slug, &mut errors);
    }
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let slug = new.slug.unwrap_or_else(|| slug_from(services, &name));
    let organization = Organization {
        id: OrganizationId::new(ctx.now, &*services.random),
        name,
        slug,
        provisioning_mode: ProvisioningMode::Jit,
        first_link: FirstLink::Address,
        session_lifetime_seconds: None,
        session_idle_seconds: None,
        sso_required: false,
        sso_required_starts_at: None,
        sso_required_grace_days: enforcement::GRACE_DAYS,
        ownerless_since: None,
        created_at: ctx.now,
        updated_at: ctx.now,
        version: 1,
    };
    let directory = Directory {
        id: DirectoryId::new(ctx.now, &*services.random),
        organization_id: organization.id,
        foreign_addresses: ForeignAddresses::Refuse,
        conformance: Conformance::Tolerant,
        oauth_only: false,
        roles_on_users: false,
        created_at: ctx.now,
        updated_at: ctx.now,
        version: 1,
    };
    let tx = services.begin().await?;
    store::organizations::insert(&tx, organization.clone()).await?;
    store::events::insert_counter(&tx, organization.id).await?;
    store::directories::insert(&tx, directory).await?;
    let data = json!({ "name": organization.name, "slug": organization.slug });
    services.record(&tx, ctx, organization.id, EventKind::OrganizationCreated, organization.id, data).await?;
    tx.commit().await?;
    Ok(organization)
}

/// The organizations that the caller reaches: all for the operator, else the one of the credential.
///
/// # Errors
/// [`Error::Invalid`] for a search text that is too long or has control characters.
pub async fn list(
    services: &Services,
    ctx: &Ctx,
    search: Option<&str>,
    request: &PageRequest,
) -> Result<Page<Organization>, Error> {
    check_search(search)?;
    if let Some(own) = ctx.actor.organization() {
        let organization = find(services, ctx, own).await?;
        let folded = search.map(str::to_lowercase);
        let hit = folded.is_none_or(|text| {
            organization.name.to_lowercase().contains(&text) || organization.slug.contains(&text)
        });
        let data = if hit { vec![organization] } else { Vec::new() };
        let total = request.include_total.then_some(data.len() as u64);
        return Ok(Page { data, next_cursor: None, total });
    }
    let scope = operator(ctx)?;
    Ok(store::organizations::list(&services.db, scope, search, request).await?)
}

/// One organization.
pub async fn find(services: &Services, ctx: &Ctx, id: OrganizationId) -> Result<Organization, Error> {
    let scope = may(ctx, id, Action::ReadOrganization)?;
    store::organizations::find(&services.db, scope).await?.ok_or_else(|| Error::not_found("organization"))
}

/// Changes an organization. `expected` is the version that the caller read, if it said one.
///
/// # Errors
/// [`Error::PreconditionFailed`] if the version moved on; [`Error::Invalid`]; [`Error::Conflict`] `slug_taken`.
pub async fn update(
    services: &Services,
    ctx: &Ctx,
    id: OrganizationId,
    expected: Option<i64>,
    change: UpdateOrganization,
) -> Result<Organization, Error> {
    let scope = may(ctx, id, Action::WriteOrganization)?;
    let mut errors = Vec::new();
    let name = change.name.as_deref().map(|name| check_name(name, &mut errors));
    if let Some(slug) = &change.slug {
        check_slug(slug, &mut errors);
    }
    check_seconds("session_lifetime_seconds", change.session_lifetime_seconds.flatten(), &mut errors);
    check_seconds("session_idle_seconds", change.session_idle_seconds.flatten(), &mut errors);
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let tx = services.begin().await?;
    // Only a new slug needs the stronger lock, which waits for everybody who is writing an event.
    let before = if change.slug.is_some() {
        store::organizations::lock(&tx, scope).await?
    } else {
        store::organizations::lock_owners(&tx, scope).await?;
        store::organizations::find(&tx, scope).await?
    };
    let before = before.ok_or_else(|| Error::not_found("organization"))?;
    expect_version(expected, before.version)?;
    let mut after = before.clone();
    if let Some(name) = name {
        after.name = name;
    }
    if let Some(slug) = change.slug {
        after.slug = slug;
    }
    if let Some(mode) = change.provisioning_mode {
        after.provisioning_mode = mode;
    }
    if let Some(first_link) = change.first_link {
        after.first_link = first_link;
    }
    if let Some(seconds) = change.session_lifetime_seconds {
        after.session_lifetime_seconds = seconds;
    }
    if let Some(seconds) = change.session_idle_seconds {
        after.session_idle_seconds = seconds;
    }
    let enforced = Setting::of_organization(&before);
    let enforce = enforced.with(&change.enforcement, ctx.now, setting::OF_ORGANIZATION)?;
    enforce.put_organization(&mut after);
    if after == before {
        return Ok(before);
    }
    if enforce != enforced {
        may(ctx, id, Action::ChangeTrust)?;
        ways::set(services, &tx, ctx, scope, None, (enforced, enforce)).await?;
    }
    after.updated_at = ctx.now;
    let data = difference(&serde_json::to_value(View(&before)), &serde_json::to_value(View(&after)));
    let after = store::organizations::update(&tx, scope, after).await?;
    services.record(&tx, ctx, id, EventKind::OrganizationUpdated, id, data).await?;
    tx.commit().await?;
    services.caches.api_keys.clear();
    Ok(after)
}

/// The right to do something in an organization that is there. Other credentials carry their organization; the
/// operator's may name one that does not exist, and is told so instead of an empty list.
///
/// # Errors
/// Those of [`may`].
pub async fn reach(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    action: Action,
) -> Result<TenantScope, Error> {
    let scope = may(ctx, organization, action)?;
    if matches!(ctx.actor, Actor::Operator { .. })
        && store::organizations::find(&services.db, scope).await?.is_none()
    {
        return Err(Error::not_found("organization"));
    }
    Ok(scope)
}

/// Refuses a change that was made with an older version in mind.
pub fn expect_version(expected: Option<i64>, found: i64) -> Result<(), Error> {
    if expected.is_none_or(|expected| expected == found) { Ok(()) } else { Err(Error::PreconditionFailed) }
}

/// The organization that a credential belongs to.
pub async fn find_own(services: &Services, ctx: &Ctx) -> Result<Organization, Error> {
    match (&ctx.actor, ctx.actor.organization()) {
        (_, Some(own)) => find(services, ctx, own).await,
        (Actor::Operator { .. }, None) => Err(Error::refused(
            "operator_has_no_organization",
            "An operator's key belongs to no organization: name one by its id, or list them all.",
        )),
        _ => {
            operator(ctx)?;
            Err(Error::not_found("organization"))
        }
    }
}

/// What an event shows of an organization.
struct View<'a>(&'a Organization);

impl serde::Serialize for View<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({
            "name": self.0.name,
            "slug": self.0.slug,
            "provisioning_mode": self.0.provisioning_mode,
            "first_link": self.0.first_link,
            "session_lifetime_seconds": self.0.session_lifetime_seconds,
            "session_idle_seconds": self.0.session_idle_seconds,
            "sso_required": self.0.sso_required,
            "sso_required_starts_at": self.0.sso_required_starts_at,
            "sso_required_grace_days": self.0.sso_required_grace_days,
        })
        .serialize(serializer)
    }
}

/// The fields that differ, each with what it was and what it is: the data of an "updated" event.
pub fn difference(before: &serde_json::Result<Value>, after: &serde_json::Result<Value>) -> Value {
    let mut changed = Map::new();
    if let (Ok(Value::Object(before)), Ok(Value::Object(after))) = (before, after) {
        for (field, now) in after {
            let was = before.get(field).unwrap_or(&Value::Null);
            if was != now {
                changed.insert(field.clone(), json!({ "from": was, "to": now }));
            }
        }
    }
    json!({ "changed": changed })
}
