//! `/api/v1/organizations/{organization_id}/saml-connections`.

use super::Tag;
use super::answer::{Answer, Done, Failure, Found, Listed, Made, if_match};
use super::caller::Caller;
use super::connection_views::{
    ActivateSamlConnection, ConnectionView, CreateSamlConnection, UpdateSamlConnection, given,
};
use super::dto::{PageView, id, id_field, page_request};
use super::organizations::patch;
use crate::http::payload::JsonBody;
use crate::model::id::{ConnectionId, DomainId, OrganizationId};
use crate::service::connections::{self, Assigned, GivenOptions, GivenSlo};
use poem_openapi::OpenApi;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;

pub(super) fn ids(
    caller: &Caller,
    organization: &str,
    connection: &str,
) -> Answer<(OrganizationId, ConnectionId)> {
    Ok((caller.organization(organization)?, id(connection)?))
}

fn domain_ids(texts: &[String]) -> Answer<Vec<DomainId>> {
    texts.iter().enumerate().map(|(at, text)| id_field(&format!("domain_ids.{at}"), text)).collect()
}

pub(super) fn found(caller: &Caller, assigned: &Assigned) -> Answer<Found<ConnectionView>> {
    Ok(Found::new(ConnectionView::new(caller, assigned)?, assigned.connection.version))
}

pub struct ConnectionsApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::SamlConnections")]
impl ConnectionsApi {
    /// Draft a SAML connection
    ///
    /// The answer has what to paste into the IdP: `entity_id`, `acs_url`, `sp_metadata_url`.
    #[oai(
        path = "/:organization_id/saml-connections",
        method = "post",
        operation_id = "create_saml_connection"
    )]
    async fn create(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        body: JsonBody<CreateSamlConnection>,
    ) -> Answer<Made<ConnectionView>> {
        let organization = caller.organization(&organization_id)?;
        let body = body.0;
        let new = connections::CreateConnection {
            name: body.name,
            kind: body.kind,
            facts: given(
                body.metadata_url.map(Some),
                body.metadata_xml,
                body.idp_entity_id,
                body.sso_url,
                body.certificates,
                GivenSlo {
                    url: body.slo_url.map(Some),
                    response_url: body.slo_response_url.map(Some),
                    binding: body.slo_binding.map(Some),
                },
            ),
            attribute_mapping: body.attribute_mapping.map(Into::into).unwrap_or_default(),
            options: GivenOptions {
                sign_requests: body.sign_requests,
                name_id_format: body.name_id_format.map(Some),
                force_authn: body.force_authn,
                requested_authn_contexts: body.requested_authn_contexts,
                require_encryption: body.require_encryption,
                level: body.level,
                idp_initiated: body.idp_initiated,
            },
            domain_ids: domain_ids(&body.domain_ids.unwrap_or_default())?,
            unmask_sign_in_attributes: body.unmask_sign_in_attributes,
        };
        let assigned = connections::create(caller.services(), &caller.ctx, organization, new).await?;
        let row = &assigned.connection;
        let location = format!("/api/v1/organizations/{organization}/saml-connections/{}", row.id);
        Ok(Made::new(ConnectionView::new(&caller, &assigned)?, location, row.version))
    }

    /// List SAML connections
    #[oai(
        path = "/:organization_id/saml-connections",
        method = "get",
        operation_id = "list_saml_connections"
    )]
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
    ) -> Answer<Listed<PageView<ConnectionView>>> {
        let organization = caller.organization(&organization_id)?;
        let request = page_request(limit.0, cursor.0.as_deref(), include_total.0, "created_at")?;
        let page = connections::list(caller.services(), &caller.ctx, organization, &request).await?;
        let data = page.data.iter().map(|row| ConnectionView::new(&caller, row));
        let data = data.collect::<Result<Vec<_>, _>>().map_err(Failure::from)?;
        let page = crate::model::page::Page { data, next_cursor: page.next_cursor, total: page.total };
        Ok(Listed::Ok(Json(PageView::new(page, |view| view))))
    }

    /// Read a SAML connection
    #[oai(
        path = "/:organization_id/saml-connections/:connection_id",
        method = "get",
        operation_id = "get_saml_connection"
    )]
    async fn get(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
    ) -> Answer<Found<ConnectionView>> {
        let (organization, connection) = ids(&caller, &organization_id, &connection_id)?;
        found(&caller, &connections::find(caller.services(), &caller.ctx, organization, connection).await?)
    }

    /// Change a SAML connection
    #[oai(
        path = "/:organization_id/saml-connections/:connection_id",
        method = "patch",
        operation_id = "update_saml_connection"
    )]
    async fn update(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
        /// The `ETag` that was read; the change is refused if it is not current any more.
        #[oai(name = "If-Match")]
        if_match_header: Header<Option<String>>,
        body: JsonBody<UpdateSamlConnection>,
    ) -> Answer<Found<ConnectionView>> {
        let (organization, connection) = ids(&caller, &organization_id, &connection_id)?;
        let expected = if_match(if_match_header.0.as_deref())?;
        let body = body.0;
        let change = connections::UpdateConnection {
            name: body.name,
            kind: body.kind,
            facts: given(
                patch(body.metadata_url),
                body.metadata_xml,
                body.idp_entity_id,
                body.sso_url,
                body.certificates,
                GivenSlo {
                    url: patch(body.slo_url),
                    response_url: patch(body.slo_response_url),
                    binding: patch(body.slo_binding),
                },
            ),
            attribute_mapping: patch(body.attribute_mapping).map(|set| set.map(Into::into)),
            options: GivenOptions {
                sign_requests: body.sign_requests,
                name_id_format: patch(body.name_id_format),
                force_authn: body.force_authn,
                requested_authn_contexts: body.requested_authn_contexts,
                require_encryption: body.require_encryption,
                level: body.level,
                idp_initiated: body.idp_initiated,
            },
            domain_ids: body.domain_ids.as_deref().map(domain_ids).transpose()?,
            unmask_sign_in_attributes: body.unmask_sign_in_attributes,
        };
        let changed =
            connections::update(caller.services(), &caller.ctx, organization, connection, expected, change)
                .await?;
        found(&caller, &changed)
    }

    /// Delete a SAML connection
    ///
    /// Refused while it is active. Its links go with it, sessions made through it end, its domains are free.
    #[oai(
        path = "/:organization_id/saml-connections/:connection_id",
        method = "delete",
        operation_id = "delete_saml_connection"
    )]
    async fn delete(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
        /// The `ETag` that was read; nothing is deleted if it is not current any more.
        #[oai(name = "If-Match")]
        if_match_header: Header<Option<String>>,
    ) -> Answer<Done> {
        let (organization, connection) = ids(&caller, &organization_id, &connection_id)?;
        let expected = if_match(if_match_header.0.as_deref())?;
        connections::delete(caller.services(), &caller.ctx, organization, connection, expected).await?;
        Ok(Done::NoContent)
    }

    /// Switch a SAML connection on
    ///
    /// A change of trust. 409 `test_sign_in_required` unless `skip_test` is true; 409 `connection_incomplete` while the
    /// connection does not know its IdP.
    #[oai(
        path = "/:organization_id/saml-connections/:connection_id/activate",
        method = "post",
        operation_id = "activate_saml_connection"
    )]
    async fn activate(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
        body: JsonBody<ActivateSamlConnection>,
    ) -> Answer<Found<ConnectionView>> {
        let (organization, connection) = ids(&caller, &organization_id, &connection_id)?;
        let skip_test = body.0.skip_test;
        let active =
            connections::activate(caller.services(), &caller.ctx, organization, connection, skip_test)
                .await?;
        found(&caller, &active)
    }

    /// Switch a SAML connection off
    ///
    /// Nobody signs in through it any more; sessions and links stay.
    #[oai(
        path = "/:organization_id/saml-connections/:connection_id/deactivate",
        method = "post",
        operation_id = "deactivate_saml_connection"
    )]
    async fn deactivate(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
    ) -> Answer<Found<ConnectionView>> {
        let (organization, connection) = ids(&caller, &organization_id, &connection_id)?;
        let inactive =
            connections::deactivate(caller.services(), &caller.ctx, organization, connection).await?;
        found(&caller, &inactive)
    }
}
