//! `…/saml-connections/{connection_id}/draft`: a change of what an active connection trusts, until it is in force.

use super::Tag;
use super::answer::{Answer, Done, Found, Listed, if_match};
use super::caller::Caller;
use super::connection_tests::TestLinkView;
use super::connection_trust_views::CertificateView;
use super::connection_views::{
    ActivateSamlConnection, ConnectionView, MappingView, SetAttributeMapping, given,
};
use super::connections::{found, ids};
use super::dto::Time;
use crate::http::payload::JsonBody;
use crate::service::connections::drafts::{self, Draft};
use crate::service::{connection_tests, connections};
use poem_openapi::param::{Header, Path};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

/// What the change does to the links of people. All 0 while the entity id stays.
#[derive(Object)]
#[oai(rename = "SamlRelink")]
pub struct RelinkView {
    /// Whether the entity id is another one, and so the IdP.
    pub new_idp: bool,
    /// Links to the IdP of before, which are void once the draft is in force.
    pub links_voided: u64,
    /// Members who are linked again by their address at their next sign-in.
    pub linked_by_address: u64,
    /// Members for whom an administrator confirms that first (`first_link` is `confirm`).
    pub to_be_confirmed: u64,
    /// Owners: they connect themselves, signed in, at our sign-in page.
    pub owners: u64,
}

/// A drafted change of an active connection: the connection as it would be.
#[derive(Object)]
#[oai(rename = "SamlConnectionDraft", skip_serializing_if_is_none)]
pub struct DraftView {
    pub connection_id: String,
    pub idp_entity_id: String,
    pub sso_url: String,
    pub certificates: Vec<CertificateView>,
    pub attribute_mapping: MappingView,
    /// Where the facts would be fetched from each day; absent where they were given otherwise.
    pub metadata_url: Option<String>,
    /// The person or key that drafted it.
    pub drafted_by: Option<String>,
    pub created_at: Time,
    /// Whether a test sign-in has passed with it.
    pub tested: bool,
    pub relink: RelinkView,
}

fn shown(caller: &Caller, draft: &Draft) -> Answer<Found<DraftView>> {
    let row = &draft.connection;
    let now = caller.ctx.now.to_datetime();
    let held = connections::held_certificates(row)?;
    let relink = &draft.relink;
    let view = DraftView {
        connection_id: row.id.to_string(),
        idp_entity_id: row.idp_entity_id.clone(),
        sso_url: row.sso_url.clone(),
        certificates: held.iter().map(|held| CertificateView::new(held, now)).collect(),
        attribute_mapping: connections::attribute_mapping(row)?.into(),
        metadata_url: draft.metadata_url.clone(),
        drafted_by: draft.row.drafted_by.clone(),
        created_at: draft.row.created_at.to_datetime(),
        tested: draft.tested,
        relink: RelinkView {
            new_idp: relink.new_idp,
            links_voided: relink.links_voided,
            linked_by_address: relink.linked_by_address,
            to_be_confirmed: relink.to_be_confirmed,
            owners: relink.owners,
        },
    };
    Ok(Found::new(view, draft.row.version))
}

/// A change to be drafted; what is absent stays as it is in the connection.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct DraftSamlConnection {
    /// Where the IdP publishes its metadata (https): fetched now, and each day once the draft is in force.
    pub metadata_url: Option<String>,
    /// The IdP's metadata document, at most 256 KiB; takes the place of the three fields below.
    pub metadata_xml: Option<String>,
    /// Another entity id is another IdP: `relink` of the answer tells what that does to people.
    pub idp_entity_id: Option<String>,
    /// An https URL (plain http on loopback only).
    pub sso_url: Option<String>,
    /// All signing certificates, 1 to 10, in PEM or base64 form.
    pub certificates: Option<Vec<String>>,
    pub attribute_mapping: Option<SetAttributeMapping>,
}

pub struct ConnectionDraftsApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::SamlConnections")]
impl ConnectionDraftsApi {
    /// Draft a change of an active connection
    ///
    /// Another IdP, other addresses, other keys, another mapping of attributes: people sign in as before until somebody who
    /// may change trust puts the draft in force. It takes the place of any draft there is. 409 `connection_not_active` for a
    /// connection that nobody signs in through: that is changed directly.
    #[oai(
        path = "/:organization_id/saml-connections/:connection_id/draft",
        method = "put",
        operation_id = "draft_saml_connection"
    )]
    async fn put(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
        body: JsonBody<DraftSamlConnection>,
    ) -> Answer<Found<DraftView>> {
        let (organization, id) = ids(&caller, &organization_id, &connection_id)?;
        let body = body.0;
        let facts = given(
            body.metadata_url.map(Some),
            body.metadata_xml,
            body.idp_entity_id,
            body.sso_url,
            body.certificates,
            connections::GivenSlo::default(),
        );
        let change = (facts, body.attribute_mapping.map(Into::into));
        shown(&caller, &drafts::put(caller.services(), &caller.ctx, organization, id, change).await?)
    }

    /// Read the draft, and see what it would do
    #[oai(
        path = "/:organization_id/saml-connections/:connection_id/draft",
        method = "get",
        operation_id = "get_saml_connection_draft"
    )]
    async fn get(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
    ) -> Answer<Found<DraftView>> {
        let (organization, id) = ids(&caller, &organization_id, &connection_id)?;
        shown(&caller, &drafts::find(caller.services(), &caller.ctx, organization, id).await?)
    }

    /// Drop the draft
    #[oai(
        path = "/:organization_id/saml-connections/:connection_id/draft",
        method = "delete",
        operation_id = "drop_saml_connection_draft"
    )]
    async fn remove(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
    ) -> Answer<Done> {
        let (organization, id) = ids(&caller, &organization_id, &connection_id)?;
        drafts::remove(caller.services(), &caller.ctx, organization, id).await?;
        Ok(Done::NoContent)
    }

    /// Ask for a test sign-in with the draft
    ///
    /// As for the connection itself; people sign in as before meanwhile.
    #[oai(
        path = "/:organization_id/saml-connections/:connection_id/draft/test",
        method = "post",
        operation_id = "test_saml_connection_draft"
    )]
    async fn test(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
    ) -> Answer<Listed<TestLinkView>> {
        let (organization, id) = ids(&caller, &organization_id, &connection_id)?;
        let asked = connection_tests::ask(caller.services(), &caller.ctx, organization, id, true).await?;
        Ok(Listed::Ok(Json(asked.into())))
    }

    /// Put the draft in force
    ///
    /// A change of trust. 409 `test_sign_in_required` unless `skip_test` is true. With another entity id the links to the IdP
    /// of before are void, in the same transaction.
    #[oai(
        path = "/:organization_id/saml-connections/:connection_id/draft/activate",
        method = "post",
        operation_id = "activate_saml_connection_draft"
    )]
    async fn activate(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
        /// The `ETag` of the draft that was looked at; another one is not put in force.
        #[oai(name = "If-Match")]
        if_match_header: Header<Option<String>>,
        body: JsonBody<ActivateSamlConnection>,
    ) -> Answer<Found<ConnectionView>> {
        let (organization, id) = ids(&caller, &organization_id, &connection_id)?;
        let expected = if_match(if_match_header.0.as_deref())?;
        let skip_test = body.0.skip_test;
        let changed =
            drafts::activate(caller.services(), &caller.ctx, organization, id, expected, skip_test).await?;
        found(&caller, &changed)
    }
}
