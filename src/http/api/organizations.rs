//! `/api/v1/organizations`.

use super::Tag;
use super::answer::{Answer, Found, Listed, Made, if_match};
use super::caller::Caller;
use super::dto::{PageView, Time, id, page_request};
use crate::http::payload::JsonBody;
use crate::model::id::OrganizationId;
use crate::model::state::{FirstLink, ProvisioningMode};
use crate::model::time::Timestamp;
use crate::service::enforcement;
use crate::service::organizations::{self, Organization};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::MaybeUndefined;
use poem_openapi::{Object, OpenApi};

/// An organization: a tenant.
#[derive(Object)]
#[oai(rename = "Organization")]
pub struct OrganizationView {
    /// TypeID, `org_…`.
    pub id: String,
    pub name: String,
    /// Lower-case letters, digits and hyphens; unique in the installation.
    pub slug: String,
    /// Who creates members.
    pub provisioning_mode: ProvisioningMode,
    /// Whether an address on a verified domain makes the first link to a person.
    pub first_link: FirstLink,
    /// How long a session lasts at most; absent: the installation's setting.
    #[oai(skip_serializing_if_is_none)]
    pub session_lifetime_seconds: Option<i64>,
    /// How long a session may idle; absent: the installation's setting.
    #[oai(skip_serializing_if_is_none)]
    pub session_idle_seconds: Option<i64>,
    /// Whether every member comes in through SAML alone, whatever the address, from `sso_required_starts_at` on.
    pub sso_required: bool,
    /// Absent while it is not required.
    #[oai(skip_serializing_if_is_none)]
    pub sso_required_starts_at: Option<Time>,
    /// For how many days after the start sessions go on that were made before it and not by SAML.
    pub sso_required_grace_days: i32,
    /// Since when nobody owns the organization; absent while somebody does, or nobody ever did.
    #[oai(skip_serializing_if_is_none)]
    pub ownerless_since: Option<Time>,
    pub created_at: Time,
    pub updated_at: Time,
}

impl From<&Organization> for OrganizationView {
    fn from(row: &Organization) -> Self {
        Self {
            id: row.id.to_string(),
            name: row.name.clone(),
            slug: row.slug.clone(),
            provisioning_mode: row.provisioning_mode,
            first_link: row.first_link,
            session_lifetime_seconds: row.session_lifetime_seconds,
            session_idle_seconds: row.session_idle_seconds,
            sso_required: row.sso_required,
            sso_required_starts_at: row.sso_required_starts_at.map(Timestamp::to_datetime),
            sso_required_grace_days: row.sso_required_grace_days,
            ownerless_since: row.ownerless_since.map(Timestamp::to_datetime),
            created_at: row.created_at.to_datetime(),
            updated_at: row.updated_at.to_datetime(),
        }
    }
}

/// A new organization.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct CreateOrganization {
    /// 1 to 200 characters.
    pub name: String,
    /// 3 to 50 lower-case letters, digits and single hyphens; made from the name if absent.
    pub slug: Option<String>,
}

/// Changes of an organization (JSON Merge Patch: absent leaves alone, `null` clears).
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct UpdateOrganization {
    pub name: Option<String>,
    pub slug: Option<String>,
    pub provisioning_mode: Option<ProvisioningMode>,
    pub first_link: Option<FirstLink>,
    /// Seconds, 60 to 2592000; `null` goes back to the installation's setting.
    pub session_lifetime_seconds: MaybeUndefined<i64>,
    /// Seconds, 60 to 2592000; `null` goes back to the installation's setting.
    pub session_idle_seconds: MaybeUndefined<i64>,
    /// `true` closes every other way in for every member; who is on none of the organization's domains needs the
    /// approval of a guest. Needs the right to change trust, an active connection that serves a verified domain, and a
    /// sign-in through one: the caller's own, or with an API key that of any admin or owner. See
    /// `preview_sso_enforcement`.
    pub sso_required: Option<bool>,
    /// From when on; at once if absent or `null`, within a year. Needs the right to change trust.
    pub sso_required_starts_at: MaybeUndefined<Time>,
    /// 0 to 30 days, 7 if it was never said. Needs the right to change trust.
    pub sso_required_grace_days: Option<i32>,
}

/// `None` where the field was absent, `Some(None)` where it was null.
pub fn patch<T>(field: MaybeUndefined<T>) -> Option<Option<T>> {
    match field {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}

pub struct OrganizationsApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::Organizations")]
impl OrganizationsApi {
    /// Make an organization
    ///
    /// For the operator's keys.
    #[oai(path = "/", method = "post", operation_id = "create_organization")]
    async fn create(
        &self,
        caller: Caller,
        body: JsonBody<CreateOrganization>,
    ) -> Answer<Made<OrganizationView>> {
        let new = organizations::CreateOrganization { name: body.0.name, slug: body.0.slug };
        let row = organizations::create(caller.services(), &caller.ctx, new).await?;
        let location = format!("/api/v1/organizations/{}", row.id);
        Ok(Made::new(OrganizationView::from(&row), location, row.version))
    }

    /// List organizations
    ///
    /// All for the operator's keys; the credential's own for everybody else.
    #[oai(path = "/", method = "get", operation_id = "list_organizations")]
    async fn list(
        &self,
        caller: Caller,
        /// Rows on the page, 1 to 200; 50 if absent.
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Part of the name or slug, without case.
        search: Query<Option<String>>,
        /// Whether to count all rows.
        include_total: Query<Option<bool>>,
    ) -> Answer<Listed<PageView<OrganizationView>>> {
        let request = page_request(limit.0, cursor.0.as_deref(), include_total.0, "created_at")?;
        let page = organizations::list(caller.services(), &caller.ctx, search.0.as_deref(), &request).await?;
        Ok(Listed::Ok(Json(PageView::new(page, |row| OrganizationView::from(&row)))))
    }

    /// Read the organization of the credential
    #[oai(path = "/me", method = "get", operation_id = "get_own_organization")]
    async fn get_own(&self, caller: Caller) -> Answer<Found<OrganizationView>> {
        if let Some(row) = &caller.credential.organization {
            crate::service::permissions::may(
                &caller.ctx,
                row.id,
                crate::service::permissions::Action::ReadOrganization,
            )?;
            return Ok(Found::new(OrganizationView::from(&**row), row.version));
        }
        let row = organizations::find_own(caller.services(), &caller.ctx).await?;
        Ok(Found::new(OrganizationView::from(&row), row.version))
    }

    /// Change the organization of the credential
    #[oai(path = "/me", method = "patch", operation_id = "update_own_organization")]
    async fn update_own(
        &self,
        caller: Caller,
        /// The `ETag` that was read; the change is refused if it is not current any more.
        #[oai(name = "If-Match")]
        if_match_header: Header<Option<String>>,
        body: JsonBody<UpdateOrganization>,
    ) -> Answer<Found<OrganizationView>> {
        let own = caller.organization("me")?;
        change(&caller, own, if_match_header.0.as_deref(), body.0).await
    }

    /// Read an organization
    #[oai(path = "/:organization_id", method = "get", operation_id = "get_organization")]
    async fn get(&self, caller: Caller, organization_id: Path<String>) -> Answer<Found<OrganizationView>> {
        let row = organizations::find(caller.services(), &caller.ctx, id(&organization_id)?).await?;
        Ok(Found::new(OrganizationView::from(&row), row.version))
    }

    /// Change an organization
    #[oai(path = "/:organization_id", method = "patch", operation_id = "update_organization")]
    async fn update(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        /// The `ETag` that was read; the change is refused if it is not current any more.
        #[oai(name = "If-Match")]
        if_match_header: Header<Option<String>>,
        body: JsonBody<UpdateOrganization>,
    ) -> Answer<Found<OrganizationView>> {
        change(&caller, id(&organization_id)?, if_match_header.0.as_deref(), body.0).await
    }
}

async fn change(
    caller: &Caller,
    organization: OrganizationId,
    if_match_header: Option<&str>,
    body: UpdateOrganization,
) -> Answer<Found<OrganizationView>> {
    let expected = if_match(if_match_header)?;
    let change = organizations::UpdateOrganization {
        name: body.name,
        slug: body.slug,
        provisioning_mode: body.provisioning_mode,
        first_link: body.first_link,
        session_lifetime_seconds: patch(body.session_lifetime_seconds),
        session_idle_seconds: patch(body.session_idle_seconds),
        enforcement: enforcement::Given {
            on: body.sso_required,
            starts_at: patch(body.sso_required_starts_at).map(|at| at.map(Timestamp::from)),
            grace_days: body.sso_required_grace_days,
        },
    };
    let row = organizations::update(caller.services(), &caller.ctx, organization, expected, change).await?;
    Ok(Found::new(OrganizationView::from(&row), row.version))
}
