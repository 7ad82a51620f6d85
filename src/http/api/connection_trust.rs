//! `…/saml-connections/{connection_id}`: fetching the IdP's metadata again, and answering what it offers that nobody
//! vouches for.

use super::Tag;
use super::answer::{Answer, Found};
use super::caller::Caller;
use super::connection_views::ConnectionView;
use super::connections::{found, ids};
use crate::service::connections::{pending, refresh};
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

pub struct ConnectionTrustApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::SamlConnections")]
impl ConnectionTrustApi {
    /// Fetch the IdP's metadata now
    ///
    /// It is fetched each day anyway. How it went stands in `metadata`: the answer is 200 also if it could not be fetched.
    /// Keys and addresses that are new count at once only if a key that is trusted already signed the metadata; else they
    /// wait to be confirmed. 409 `no_metadata_url` without an address to fetch from, `fetch_under_way` while another
    /// request of the organization fetches.
    #[oai(
        path = "/:organization_id/saml-connections/:connection_id/refresh-metadata",
        method = "post",
        operation_id = "refresh_saml_metadata"
    )]
    async fn refresh(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
    ) -> Answer<Found<ConnectionView>> {
        let (organization, id) = ids(&caller, &organization_id, &connection_id)?;
        found(&caller, &refresh::refresh(caller.services(), &caller.ctx, organization, id).await?)
    }

    /// Trust a certificate of the IdP
    ///
    /// One that the metadata offered and that is `pending` or `dismissed`. A change of trust.
    #[oai(
        path = "/:organization_id/saml-connections/:connection_id/certificates/:fingerprint/confirm",
        method = "post",
        operation_id = "confirm_saml_certificate"
    )]
    async fn confirm_certificate(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
        /// Its SHA-256 fingerprint in hexadecimal, with or without colons.
        fingerprint: Path<String>,
    ) -> Answer<Found<ConnectionView>> {
        let (organization, id) = ids(&caller, &organization_id, &connection_id)?;
        let services = caller.services();
        let changed =
            pending::confirm_certificate(services, &caller.ctx, organization, id, &fingerprint).await?;
        found(&caller, &changed)
    }

    /// Say no to a certificate that waits
    ///
    /// It is shown as `dismissed` for as long as the metadata has it. 409 `certificate_active` for one that is trusted.
    #[oai(
        path = "/:organization_id/saml-connections/:connection_id/certificates/:fingerprint/dismiss",
        method = "post",
        operation_id = "dismiss_saml_certificate"
    )]
    async fn dismiss_certificate(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
        /// Its SHA-256 fingerprint in hexadecimal, with or without colons.
        fingerprint: Path<String>,
    ) -> Answer<Found<ConnectionView>> {
        let (organization, id) = ids(&caller, &organization_id, &connection_id)?;
        let services = caller.services();
        let changed =
            pending::dismiss_certificate(services, &caller.ctx, organization, id, &fingerprint).await?;
        found(&caller, &changed)
    }

    /// Take the addresses that wait
    ///
    /// Those that the metadata offered, as `metadata.pending_addresses` shows them. A change of trust. 409
    /// `nothing_pending` if there are none.
    #[oai(
        path = "/:organization_id/saml-connections/:connection_id/pending-addresses/confirm",
        method = "post",
        operation_id = "confirm_saml_addresses"
    )]
    async fn confirm_addresses(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
    ) -> Answer<Found<ConnectionView>> {
        let (organization, id) = ids(&caller, &organization_id, &connection_id)?;
        found(&caller, &pending::confirm_addresses(caller.services(), &caller.ctx, organization, id).await?)
    }

    /// Say no to the addresses that wait
    ///
    /// They are not brought up again unless the metadata changes. 409 `nothing_pending` if there are none.
    #[oai(
        path = "/:organization_id/saml-connections/:connection_id/pending-addresses/dismiss",
        method = "post",
        operation_id = "dismiss_saml_addresses"
    )]
    async fn dismiss_addresses(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
    ) -> Answer<Found<ConnectionView>> {
        let (organization, id) = ids(&caller, &organization_id, &connection_id)?;
        found(&caller, &pending::dismiss_addresses(caller.services(), &caller.ctx, organization, id).await?)
    }
}
