//! `/api/v1/organizations/{organization_id}/domains`.

use super::Tag;
use super::answer::{Answer, Done, Found, Listed, Made, if_match};
use super::caller::Caller;
use super::dto::{PageView, Time, id, id_field, page_request};
use super::organizations::patch;
use crate::http::payload::JsonBody;
use crate::model::connection_ids::{self, ConnectionIds};
use crate::model::id::{ConnectionId, DomainId, OrganizationId};
use crate::model::state::{DomainStatus, SsoEnforcement};
use crate::model::time::Timestamp;
use crate::service::domains::{self, Domain};
use crate::service::{Error, enforcement};
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::MaybeUndefined;
use poem_openapi::{Enum, Object, OpenApi};

/// Where the proof of a domain stands.
#[derive(Enum, Clone, Copy)]
#[oai(rename_all = "snake_case")]
pub enum VerificationStatus {
    /// Put the record into DNS, then verify.
    Pending,
    /// The record was seen.
    Verified,
    /// The challenge is too old: renew it.
    Expired,
}

/// The proof of a domain: the TXT record to create, and what the last look at DNS came to.
#[derive(Object)]
#[oai(rename = "DomainVerification")]
pub struct VerificationView {
    pub status: VerificationStatus,
    /// The full name of the record.
    pub record_name: String,
    /// Always `TXT`.
    pub record_type: String,
    /// The value; new at each claim and renewal.
    pub record_value: String,
    /// When the challenge expires; absent once the domain is verified.
    #[oai(skip_serializing_if_is_none)]
    pub expires_at: Option<Time>,
    /// When DNS was last asked.
    #[oai(skip_serializing_if_is_none)]
    pub last_checked_at: Option<Time>,
    /// What DNS last said: `matched`, `no_such_name`, `no_record`, `wrong_value`, `wildcard`, `unknown` (DNS could not
    /// be asked), or `domain_held` (the record stands, but another organization holds the domain).
    #[oai(skip_serializing_if_is_none)]
    pub last_result: Option<String>,
}

/// A domain that an organization claims.
#[derive(Object)]
#[oai(rename = "Domain")]
pub struct DomainView {
    /// TypeID, `dom_…`.
    pub id: String,
    /// In lower-case A-labels.
    pub name: String,
    pub status: DomainStatus,
    pub verification: VerificationView,
    #[oai(skip_serializing_if_is_none)]
    pub verified_at: Option<Time>,
    /// Whether people with an address on this domain become members at their first SAML sign-in. Off until it is
    /// switched on.
    pub jit_provisioning_enabled: bool,
    /// Whether the directory speaks for addresses on this domain.
    pub scim_enabled: bool,
    /// The SAML connections that serve the domain. Where several of them are active, people choose, in this order.
    pub connection_ids: Vec<String>,
    /// `saml`: its people come in through SAML alone, from `sso_enforcement_starts_at` on.
    pub sso_enforcement: SsoEnforcement,
    /// Absent while nothing is enforced.
    #[oai(skip_serializing_if_is_none)]
    pub sso_enforcement_starts_at: Option<Time>,
    /// For how many days after the start sessions go on that were made before it and not by SAML.
    pub sso_enforcement_grace_days: i32,
    pub created_at: Time,
    pub updated_at: Time,
}

impl DomainView {
    fn new(caller: &Caller, row: &Domain) -> Self {
        let verified = row.status == DomainStatus::Verified;
        let status = if verified {
            VerificationStatus::Verified
        } else if row.challenge_expires_at <= caller.ctx.now {
            VerificationStatus::Expired
        } else {
            VerificationStatus::Pending
        };
        Self {
            id: row.id.to_string(),
            name: row.name.to_string(),
            status: row.status,
            verification: VerificationView {
                status,
                record_name: domains::challenge(caller.services(), row).record_name(),
                record_type: "TXT".to_owned(),
                record_value: row.challenge.clone(),
                expires_at: (!verified).then(|| row.challenge_expires_at.to_datetime()),
                last_checked_at: row.last_checked_at.map(Timestamp::to_datetime),
                last_result: row.last_result.clone(),
            },
            verified_at: row.verified_at.map(Timestamp::to_datetime),
            jit_provisioning_enabled: row.jit_provisioning_enabled,
            scim_enabled: row.scim_enabled,
            connection_ids: row.connection_ids.as_slice().iter().map(ToString::to_string).collect(),
            sso_enforcement: row.sso_enforcement,
            sso_enforcement_starts_at: row.sso_enforcement_starts_at.map(Timestamp::to_datetime),
            sso_enforcement_grace_days: row.sso_enforcement_grace_days,
            created_at: row.created_at.to_datetime(),
            updated_at: row.updated_at.to_datetime(),
        }
    }

    fn found(caller: &Caller, row: &Domain) -> Found<Self> {
        Found::new(Self::new(caller, row), row.version)
    }
}

/// A new claim.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct ClaimDomain {
    /// A domain of the organization's own, such as `acme.com`. Public suffixes and free-mail domains are refused.
    pub name: String,
}

/// Changes of a domain (JSON Merge Patch: absent leaves alone, `null` clears).
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct UpdateDomain {
    pub jit_provisioning_enabled: Option<bool>,
    /// Needs the right to change trust.
    pub scim_enabled: Option<bool>,
    /// All SAML connections of the organization that are to serve the domain, at most 10, in the order in
    /// which people are offered them; empty for none. Needs the right to change trust.
    pub connection_ids: Option<Vec<String>>,
    /// `saml` closes every other way in for the people on this domain. Needs the right to change trust, a verified
    /// domain, an active connection that serves it, and a sign-in through that: the caller's own, or with an API key
    /// that of any admin or owner. See `preview_sso_enforcement`.
    pub sso_enforcement: Option<SsoEnforcement>,
    /// From when on; at once if absent or `null`, within a year. Needs the right to change trust.
    pub sso_enforcement_starts_at: MaybeUndefined<Time>,
    /// 0 to 30 days, 7 if it was never said. Needs the right to change trust.
    pub sso_enforcement_grace_days: Option<i32>,
}

fn ids(caller: &Caller, organization: &str, domain: &str) -> Answer<(OrganizationId, DomainId)> {
    Ok((caller.organization(organization)?, id(domain)?))
}

fn connection_ids(texts: &[String]) -> Answer<ConnectionIds> {
    if texts.len() > connection_ids::MOST {
        let message = format!(
            "{} were given; at most {} connections serve a domain.",
            texts.len(),
            connection_ids::MOST
        );
        return Err(Error::field("connection_ids", "too_many", message).into());
    }
    let ids = texts.iter().map(|text| id_field::<ConnectionId>("connection_ids", text));
    Ok(ConnectionIds::new(ids.collect::<Result<Vec<_>, _>>()?))
}

pub struct DomainsApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::Domains")]
impl DomainsApi {
    /// Claim a domain
    ///
    /// The answer names the TXT record that proves the claim. Several organizations may claim one name; one holds it
    /// verified.
    #[oai(path = "/:organization_id/domains", method = "post", operation_id = "claim_domain")]
    async fn claim(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        body: JsonBody<ClaimDomain>,
    ) -> Answer<Made<DomainView>> {
        let organization = caller.organization(&organization_id)?;
        let row = domains::claim(caller.services(), &caller.ctx, organization, &body.0.name).await?;
        let location = format!("/api/v1/organizations/{organization}/domains/{}", row.id);
        Ok(Made::new(DomainView::new(&caller, &row), location, row.version))
    }

    /// List domains
    #[oai(path = "/:organization_id/domains", method = "get", operation_id = "list_domains")]
    async fn list(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        /// Rows on the page, 1 to 200; 50 if absent.
        limit: Query<Option<u32>>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
        /// Whether to count all rows.
        include_total: Query<Option<bool>>,
    ) -> Answer<Listed<PageView<DomainView>>> {
        let organization = caller.organization(&organization_id)?;
        let request = page_request(limit.0, cursor.0.as_deref(), include_total.0, "created_at")?;
        let page = domains::list(caller.services(), &caller.ctx, organization, &request).await?;
        Ok(Listed::Ok(Json(PageView::new(page, |row| DomainView::new(&caller, &row)))))
    }

    /// Read a domain
    #[oai(path = "/:organization_id/domains/:domain_id", method = "get", operation_id = "get_domain")]
    async fn get(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        domain_id: Path<String>,
    ) -> Answer<Found<DomainView>> {
        let (organization, domain) = ids(&caller, &organization_id, &domain_id)?;
        let row = domains::find(caller.services(), &caller.ctx, organization, domain).await?;
        Ok(DomainView::found(&caller, &row))
    }

    /// Change what works through a domain
    #[oai(path = "/:organization_id/domains/:domain_id", method = "patch", operation_id = "update_domain")]
    async fn update(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        domain_id: Path<String>,
        /// The `ETag` that was read; the change is refused if it is not current any more.
        #[oai(name = "If-Match")]
        if_match_header: Header<Option<String>>,
        body: JsonBody<UpdateDomain>,
    ) -> Answer<Found<DomainView>> {
        let (organization, domain) = ids(&caller, &organization_id, &domain_id)?;
        let expected = if_match(if_match_header.0.as_deref())?;
        let connection_ids = body.0.connection_ids.as_deref().map(connection_ids).transpose()?;
        let change = domains::UpdateDomain {
            jit_provisioning_enabled: body.0.jit_provisioning_enabled,
            scim_enabled: body.0.scim_enabled,
            connection_ids,
            enforcement: enforcement::Given {
                on: body.0.sso_enforcement.map(|wanted| wanted == SsoEnforcement::Saml),
                starts_at: patch(body.0.sso_enforcement_starts_at).map(|at| at.map(Timestamp::from)),
                grace_days: body.0.sso_enforcement_grace_days,
            },
        };
        let row =
            domains::update(caller.services(), &caller.ctx, organization, domain, expected, change).await?;
        Ok(DomainView::found(&caller, &row))
    }

    /// Give a domain up
    ///
    /// Neither the IdP nor the directory speaks for it any more, and another organization may verify it. 409
    /// `domain_enforced` while its people come in through SAML alone.
    #[oai(path = "/:organization_id/domains/:domain_id", method = "delete", operation_id = "delete_domain")]
    async fn delete(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        domain_id: Path<String>,
        /// The `ETag` that was read; nothing is deleted if it is not current any more.
        #[oai(name = "If-Match")]
        if_match_header: Header<Option<String>>,
    ) -> Answer<Done> {
        let (organization, domain) = ids(&caller, &organization_id, &domain_id)?;
        let expected = if_match(if_match_header.0.as_deref())?;
        domains::delete(caller.services(), &caller.ctx, organization, domain, expected).await?;
        Ok(Done::NoContent)
    }

    /// Verify a domain
    ///
    /// Asks DNS for the TXT record. 409 `dns_no_such_name`, `dns_no_record`, `dns_wrong_value` or `dns_wildcard` says
    /// what DNS answered and what to do; 503 `dns_unknown` means that DNS could not be asked, which says nothing about
    /// the record; 409 `domain_held` that another organization holds the domain.
    #[oai(
        path = "/:organization_id/domains/:domain_id/verify",
        method = "post",
        operation_id = "verify_domain"
    )]
    async fn verify(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        domain_id: Path<String>,
    ) -> Answer<Found<DomainView>> {
        let (organization, domain) = ids(&caller, &organization_id, &domain_id)?;
        let row = domains::verify(caller.services(), &caller.ctx, organization, domain).await?;
        Ok(DomainView::found(&caller, &row))
    }

    /// Renew the challenge of a domain
    ///
    /// Gives an unverified claim a new value and a new time to expire.
    #[oai(
        path = "/:organization_id/domains/:domain_id/renew",
        method = "post",
        operation_id = "renew_domain"
    )]
    async fn renew(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        domain_id: Path<String>,
    ) -> Answer<Found<DomainView>> {
        let (organization, domain) = ids(&caller, &organization_id, &domain_id)?;
        let row = domains::renew(caller.services(), &caller.ctx, organization, domain).await?;
        Ok(DomainView::found(&caller, &row))
    }
}
