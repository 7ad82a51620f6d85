//! `/api/v1/organizations/{organization_id}/scim/role-mappings`: which groups of the directory give which roles.

use super::Tag;
use super::answer::{Answer, Failure, Found, Listed, if_match};
use super::caller::Caller;
use super::dto::id_field;
use crate::http::payload::JsonBody;
use crate::model::state::{MemberStatus, Role};
use crate::service::role_mappings::{self, Affected, Entry, Mapped, Mapping, Preview};
use poem_openapi::param::{Header, Path};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

/// A group gives its members a role.
#[derive(Object)]
#[oai(rename = "RoleMapping")]
pub struct RoleMappingView {
    /// TypeID of the group, `grp_…`.
    pub group_id: String,
    pub display_name: String,
    pub member_count: i64,
    pub role: Role,
}

impl From<&Mapped> for RoleMappingView {
    fn from(mapped: &Mapped) -> Self {
        Self {
            group_id: mapped.group.id.to_string(),
            display_name: mapped.group.display_name.clone(),
            member_count: mapped.group.member_count,
            role: mapped.role,
        }
    }
}

/// Which groups give which roles.
#[derive(Object)]
#[oai(rename = "RoleMappings")]
pub struct RoleMappingsView {
    /// A group may stand here with several roles, a role with several groups. The highest wins.
    pub mappings: Vec<RoleMappingView>,
    /// Groups that only SAML assertions name.
    pub named: Vec<NamedGroupRole>,
}

/// A group that SAML assertions name gives whoever signs in with it a role.
#[derive(Object, Clone)]
#[oai(deny_unknown_fields)]
pub struct NamedGroupRole {
    /// As the IdP sends it, a name or an id (Entra ID sends object ids); compared without case. 1 to 256 characters.
    pub group: String,
    /// `member` or `admin`.
    pub role: Role,
}

impl RoleMappingsView {
    fn found(mapping: &Mapping) -> Found<Self> {
        let mappings = mapping.entries.iter().map(RoleMappingView::from).collect();
        let named = mapping.names.iter().cloned().map(|(group, role)| NamedGroupRole { group, role });
        Found::new(Self { mappings, named: named.collect() }, mapping.version)
    }
}

/// An entry of a mapping.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct NewRoleMapping {
    /// TypeID of the group, `grp_…`.
    pub group_id: String,
    /// `member` or `admin`. Owners are made by owners and the operator alone.
    pub role: Role,
}

/// The whole mapping.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct NewRoleMappings {
    /// At most 1,000 entries.
    pub mappings: Vec<NewRoleMapping>,
    /// Groups that only SAML assertions name, at most 1,000; those that are there stay if this is absent.
    pub named: Option<Vec<NamedGroupRole>>,
}

impl NewRoleMappings {
    fn entries(&self) -> Result<Vec<Entry>, Failure> {
        let entry = |(index, mapping): (usize, &NewRoleMapping)| {
            Ok((id_field(&format!("mappings.{index}.group_id"), &mapping.group_id)?, mapping.role))
        };
        self.mappings.iter().enumerate().map(entry).collect()
    }
}

/// A member whose role would change.
#[derive(Object)]
#[oai(rename = "AffectedMember", skip_serializing_if_is_none)]
pub struct AffectedView {
    /// TypeID of the user, `usr_…`.
    pub user_id: String,
    pub email: Option<String>,
    pub display_name: Option<String>,
    pub status: MemberStatus,
    pub from: Role,
    pub to: Role,
}

impl From<&Affected> for AffectedView {
    fn from(affected: &Affected) -> Self {
        Self {
            user_id: affected.user.to_string(),
            email: affected.email.as_ref().map(ToString::to_string),
            display_name: affected.display_name.clone(),
            status: affected.status,
            from: affected.from,
            to: affected.to,
        }
    }
}

/// What a mapping would do.
#[derive(Object)]
#[oai(rename = "RoleMappingsPreview")]
pub struct PreviewView {
    /// How many members would get a higher role.
    pub raised: usize,
    /// How many would get a lower one.
    pub lowered: usize,
    /// Who: at most 200 of them, the raised first.
    pub members: Vec<AffectedView>,
    /// Whether there are more than are named.
    pub truncated: bool,
}

impl From<&Preview> for PreviewView {
    fn from(preview: &Preview) -> Self {
        Self {
            raised: preview.raised,
            lowered: preview.lowered,
            members: preview.members.iter().map(AffectedView::from).collect(),
            truncated: preview.members.len() < preview.raised + preview.lowered,
        }
    }
}

pub struct RoleMappingsApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::Scim")]
impl RoleMappingsApi {
    /// Read the role mappings
    #[oai(path = "/:organization_id/scim/role-mappings", method = "get", operation_id = "get_role_mappings")]
    async fn get(&self, caller: Caller, organization_id: Path<String>) -> Answer<Found<RoleMappingsView>> {
        let organization = caller.organization(&organization_id)?;
        let mapping = role_mappings::list(caller.services(), &caller.ctx, organization).await?;
        Ok(RoleMappingsView::found(&mapping))
    }

    /// Replace the role mappings
    ///
    /// A change of trust: whoever fills a group at the identity provider may then make admins. Roles follow at once,
    /// and again whenever the members of a group change; a role that came from a group goes with it. Owners are never
    /// touched.
    ///
    /// Whoever no directory keeps gets the role at each SAML sign-in, by the groups that the assertion names: those in
    /// `named`, and those of the directory by their `displayName` or `externalId`.
    #[oai(
        path = "/:organization_id/scim/role-mappings",
        method = "put",
        operation_id = "replace_role_mappings"
    )]
    async fn replace(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        /// The `ETag` that was read; the change is refused if it is not current any more.
        #[oai(name = "If-Match")]
        if_match_header: Header<Option<String>>,
        body: JsonBody<NewRoleMappings>,
    ) -> Answer<Found<RoleMappingsView>> {
        let organization = caller.organization(&organization_id)?;
        let expected = if_match(if_match_header.0.as_deref())?;
        let entries = body.0.entries()?;
        let names = body.0.named.map(|all| all.into_iter().map(|named| (named.group, named.role)).collect());
        let mapping =
            role_mappings::replace(caller.services(), &caller.ctx, organization, expected, (entries, names))
                .await?;
        Ok(RoleMappingsView::found(&mapping))
    }

    /// See what role mappings would do
    ///
    /// As if they replaced the ones there are. Nothing is changed.
    #[oai(
        path = "/:organization_id/scim/role-mappings/preview",
        method = "post",
        operation_id = "preview_role_mappings"
    )]
    async fn preview(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        body: JsonBody<NewRoleMappings>,
    ) -> Answer<Listed<PreviewView>> {
        let organization = caller.organization(&organization_id)?;
        let entries = body.0.entries()?;
        let preview = role_mappings::preview(caller.services(), &caller.ctx, organization, entries).await?;
        Ok(Listed::Ok(Json(PreviewView::from(&preview))))
    }
}
