//! The mapping from directory groups to roles, as administrators see and change it, with a look ahead at what a change
//! would do. Changing it is a change of trust (rule 10a): who may write a group at the IdP may then make admins here.
//!
//! A group of the directory stands in it by its id. A group that only SAML assertions name stands in it by that name, and
//! counts at sign-ins alone, for whom no directory keeps.

use super::permissions::{Action, may};
use super::roles::{self, People};
use super::{Ctx, Error, FieldError, Services, access};
use crate::model::email::EmailAddress;
use crate::model::event::EventKind;
use crate::model::id::{DirectoryGroupId, OrganizationId, UserId};
use crate::model::state::{MemberStatus, Role};
use crate::model::tenant::TenantScope;
use crate::protocol::scim::name::fold;
use crate::store;
use crate::store::directories::Directory;
use crate::store::directory_groups::DirectoryGroup;
use crate::store::role_mapping_names::RoleMappingName;
use crate::store::role_mappings::RoleMapping;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A mapping has so many entries at most.
const MOST: usize = 1_000;
/// The longest name of a group, in characters; what an assertion says is cut there too.
const LONGEST_NAME: usize = 256;
/// A preview names so many members at most; it counts all.
const NAMED: usize = 200;

/// One entry: the group gives the role.
pub type Entry = (DirectoryGroupId, Role);

/// One entry by a name: the group that assertions call so gives the role.
pub type NamedEntry = (String, Role);

/// An entry with its group.
#[derive(Debug, Clone)]
pub struct Mapped {
    pub group: DirectoryGroup,
    pub role: Role,
}

/// The mapping.
#[derive(Debug, Clone)]
pub struct Mapping {
    pub entries: Vec<Mapped>,
    pub names: Vec<NamedEntry>,
    /// The version of the directory that it belongs to.
    pub version: i64,
}

/// Somebody whose role would change.
#[derive(Debug, Clone)]
pub struct Affected {
    pub user: UserId,
    pub email: Option<EmailAddress>,
    pub display_name: Option<String>,
    pub status: MemberStatus,
    pub from: Role,
    pub to: Role,
}

/// What a mapping would do.
#[derive(Debug, Clone, Default)]
pub struct Preview {
    /// Members who would get a higher role.
    pub raised: usize,
    /// Members who would get a lower one.
    pub lowered: usize,
    /// Those named, at most 200; the raised first.
    pub members: Vec<Affected>,
}

fn missing() -> Error {
    Error::not_found("organization")
}

/// The mapping as it is.
pub async fn list(services: &Services, ctx: &Ctx, organization: OrganizationId) -> Result<Mapping, Error> {
    let scope = may(ctx, organization, Action::ReadScim)?;
    let directory = store::directories::find(&services.db, scope).await?.ok_or_else(missing)?;
    let rows = store::role_mappings::list(&services.db, scope).await?;
    let ids: Vec<_> = rows.iter().map(|row| row.group_id).collect();
    let groups = store::directory_groups::named(&services.db, scope, directory.id, &ids).await?;
    let entries = rows.iter().map(|row| (row.group_id, row.role));
    let names = names_of(store::role_mapping_names::list(&services.db, scope).await?);
    Ok(Mapping { entries: joined(entries, &groups), names, version: directory.version })
}

fn names_of(rows: Vec<RoleMappingName>) -> Vec<NamedEntry> {
    rows.into_iter().map(|row| (row.name, row.role)).collect()
}

/// Refuses names that no mapping may have; each once, by what they are compared by.
fn check_names(names: Vec<NamedEntry>) -> Result<BTreeMap<(String, Role), String>, Error> {
    if names.len() > MOST {
        let message = format!("{} names were given; a mapping has {MOST} at most.", names.len());
        return Err(Error::field("named", "too_many", message));
    }
    let mut errors = Vec::new();
    let mut found = BTreeMap::new();
    for (index, (name, role)) in names.into_iter().enumerate() {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
            errors.push(FieldError {
                field: format!("named.{index}.group"),
                code: "name_invalid",
                message: format!(
                    "A group's name has 1 to {LONGEST_NAME} characters and no control characters."
                ),
            });
        }
        if role == Role::Owner {
            errors.push(too_high(format!("named.{index}.role")));
        }
        found.entry((fold(name), role)).or_insert_with(|| name.to_owned());
    }
    if errors.is_empty() { Ok(found) } else { Err(Error::Invalid(errors)) }
}

fn too_high(field: String) -> FieldError {
    FieldError {
        field,
        code: "role_too_high",
        message: "A group gives the role admin at most; owners are made by owners and the operator."
            .to_owned(),
    }
}

fn joined(entries: impl IntoIterator<Item = Entry>, groups: &[DirectoryGroup]) -> Vec<Mapped> {
    let by_id: HashMap<_, _> = groups.iter().map(|group| (group.id, group)).collect();
    entries
        .into_iter()
        .filter_map(|(group, role)| by_id.get(&group).map(|group| Mapped { group: (*group).clone(), role }))
        .collect()
}

/// Refuses entries that no mapping may have; each once, in order.
fn check(entries: Vec<Entry>) -> Result<BTreeSet<Entry>, Error> {
    if entries.len() > MOST {
        let message = format!("{} entries were given; a mapping has {MOST} at most.", entries.len());
        return Err(Error::field("mappings", "too_many", message));
    }
    let owners = entries.iter().enumerate().filter(|(_, (_, role))| *role == Role::Owner);
    let errors: Vec<FieldError> =
        owners.map(|(index, _)| too_high(format!("mappings.{index}.role"))).collect();
    if errors.is_empty() { Ok(entries.into_iter().collect()) } else { Err(Error::Invalid(errors)) }
}

/// Refuses entries of groups that are not there.
fn check_groups(wanted: &BTreeSet<Entry>, groups: &[DirectoryGroup]) -> Result<(), Error> {
    let known: BTreeSet<_> = groups.iter().map(|group| group.id).collect();
    match wanted.iter().find(|(group, _)| !known.contains(group)) {
        Some((group, _)) => {
            let message = format!("There is no group {group} in this organization's directory.");
            Err(Error::field("mappings", "group_unknown", message))
        }
        None => Ok(()),
    }
}

/// Makes this the whole mapping, and brings everybody's role in line with it: a change of trust. Without `names` those
/// stay as they are; what they give is given and taken at the next sign-in.
///
/// # Errors
/// [`Error::Forbidden`]; [`Error::Invalid`]; [`Error::PreconditionFailed`].
pub async fn replace(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    expected: Option<i64>,
    (entries, names): (Vec<Entry>, Option<Vec<NamedEntry>>),
) -> Result<Mapping, Error> {
    let scope = may(ctx, organization, Action::WriteScim)?;
    may(ctx, organization, Action::ChangeTrust)?;
    let wanted = check(entries)?;
    let names = names.map(check_names).transpose()?;
    let tx = services.begin().await?;
    access::maker(&tx, ctx, scope, Role::Owner).await?;
    let directory = store::directories::lock(&tx, scope).await?.ok_or_else(missing)?;
    super::organizations::expect_version(expected, directory.version)?;
    let present = entries_of(&store::role_mappings::list(&tx, scope).await?);
    // Whoever changes the members of a group holds its row, and finds this done afterwards or not begun.
    let touched: BTreeSet<_> = wanted.symmetric_difference(&present).map(|(group, _)| *group).collect();
    let all: BTreeSet<_> = wanted.iter().map(|(group, _)| *group).chain(touched.iter().copied()).collect();
    let all: Vec<_> = all.into_iter().collect();
    let groups = store::directory_groups::lock_named(&tx, scope, directory.id, &all).await?;
    check_groups(&wanted, &groups)?;
    let named = store::role_mapping_names::list(&tx, scope).await?;
    let before: BTreeMap<(String, Role), String> =
        named.into_iter().map(|row| ((row.name_key, row.role), row.name)).collect();
    let names = names.unwrap_or_else(|| before.clone());
    let by_name = |names: &BTreeMap<(String, Role), String>| -> Vec<NamedEntry> {
        names.iter().map(|((_, role), name)| (name.clone(), *role)).collect()
    };
    if touched.is_empty() && names == before {
        let names = by_name(&names);
        return Ok(Mapping { entries: joined(wanted, &groups), names, version: directory.version });
    }
    if names != before {
        let rows = names.iter().map(|((key, role), name)| RoleMappingName {
            organization_id: organization,
            name_key: key.clone(),
            role: *role,
            name: name.clone(),
            created_at: ctx.now,
        });
        store::role_mapping_names::replace(&tx, scope, rows.collect()).await?;
    }
    let touched: Vec<_> = touched.into_iter().collect();
    let rows = wanted.iter().filter(|(group, _)| touched.contains(group)).map(|(group, role)| RoleMapping {
        organization_id: organization,
        group_id: *group,
        role: *role,
        created_at: ctx.now,
    });
    store::role_mappings::replace(&tx, scope, directory.id, &touched, rows.collect()).await?;
    let changed = roles::settle(services, &tx, ctx, scope, People::InGroups(&touched)).await?;
    let directory = Directory { updated_at: ctx.now, ..directory };
    let directory = store::directories::update(&tx, scope, directory).await?;
    let told = |entries: BTreeSet<Entry>| -> Value {
        let entries = joined(entries, &groups).into_iter();
        entries
            .map(|entry| {
                json!({ "group_id": entry.group.id, "display_name": entry.group.display_name, "role": entry.role })
            })
            .collect()
    };
    let data = json!({
        "added": told(wanted.difference(&present).copied().collect()),
        "removed": told(present.difference(&wanted).copied().collect()),
        "members_changed": changed,
        "named_added": but(&names, &before),
        "named_removed": but(&before, &names),
    });
    services.record(&tx, ctx, organization, EventKind::RoleMappingsUpdated, directory.id, data).await?;
    tx.commit().await?;
    services.caches.role_names.clear();
    Ok(Mapping { entries: joined(wanted, &groups), names: by_name(&names), version: directory.version })
}

/// The names of one mapping that another does not have, for the event.
fn but(these: &BTreeMap<(String, Role), String>, those: &BTreeMap<(String, Role), String>) -> Value {
    let only = these.iter().filter(|(key, _)| !those.contains_key(*key));
    only.map(|((_, role), name)| json!({ "group": name, "role": role })).collect()
}

fn entries_of(rows: &[RoleMapping]) -> BTreeSet<Entry> {
    rows.iter().map(|row| (row.group_id, row.role)).collect()
}

/// What a mapping would do if it were the whole one from now on. Nothing is changed.
///
/// # Errors
/// [`Error::Forbidden`]; [`Error::Invalid`] as [`replace`] would.
pub async fn preview(
    services: &Services,
    ctx: &Ctx,
    organization: OrganizationId,
    entries: Vec<Entry>,
) -> Result<Preview, Error> {
    let scope = may(ctx, organization, Action::ReadScim)?;
    let wanted = check(entries)?;
    let directory = store::directories::find(&services.db, scope).await?.ok_or_else(missing)?;
    let ids: BTreeSet<_> = wanted.iter().map(|(group, _)| *group).collect();
    let ids: Vec<_> = ids.into_iter().collect();
    check_groups(&wanted, &store::directory_groups::named(&services.db, scope, directory.id, &ids).await?)?;
    look_ahead(services, scope, &wanted).await
}

async fn look_ahead(
    services: &Services,
    scope: TenantScope,
    wanted: &BTreeSet<Entry>,
) -> Result<Preview, Error> {
    let present = entries_of(&store::role_mappings::list(&services.db, scope).await?);
    let mut gives: BTreeMap<DirectoryGroupId, Role> = BTreeMap::new();
    for (group, role) in wanted {
        let given = gives.entry(*group).or_insert(*role);
        *given = (*given).max(*role);
    }
    let groups: BTreeSet<_> = wanted.union(&present).map(|(group, _)| *group).collect();
    let groups: Vec<_> = groups.into_iter().collect();
    let domains = store::domains::list_of_directory(&services.db, scope).await?;
    let mut preview = Preview::default();
    let (mut raised, mut lowered) = (Vec::new(), Vec::new());
    let inside = store::role_mappings::in_groups(&services.db, scope, &groups).await?;
    for person in inside.chunk_by(|a, b| a.user_id == b.user_id) {
        let Some(first) = person.first() else { continue };
        let mapped = person.iter().filter_map(|inside| gives.get(&inside.group_id)).max().copied();
        let mapped = mapped.max(first.asserted());
        let ours = roles::speaks_for(&domains, first.address.as_ref());
        let Some((to, _)) = roles::decide(first.role, first.unmapped_role, mapped, ours) else { continue };
        let (count, list) = match to.cmp(&first.role) {
            std::cmp::Ordering::Greater => (&mut preview.raised, &mut raised),
            std::cmp::Ordering::Less => (&mut preview.lowered, &mut lowered),
            std::cmp::Ordering::Equal => continue,
        };
        *count += 1;
        if list.len() < NAMED {
            list.push(Affected {
                user: first.user_id,
                email: first.email.clone(),
                display_name: first.display_name.clone(),
                status: first.status,
                from: first.role,
                to,
            });
        }
    }
    preview.members = raised;
    preview.members.extend(lowered);
    preview.members.truncate(NAMED);
    Ok(preview)
}
