//! `/api/v1/guides`, and the guides of a connection and of a directory: how to set an identity provider up, with the
//! organization's own values.

use super::Tag;
use super::answer::{Answer, Listed};
use super::caller::Caller;
use super::dto::id;
use crate::model::state::ConnectionType;
use crate::service::guides::{self, FieldValue, Guide, Kind, Provisioning};
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

/// How far an identity provider can provision by SCIM.
#[derive(Enum, Clone, Copy)]
#[oai(rename = "ScimProvisioning", rename_all = "snake_case")]
pub enum ProvisioningView {
    /// Into any service that speaks SCIM.
    Full,
    /// Only into services of its own catalogue.
    Limited,
    /// Not at all.
    None,
}

/// A type of identity provider that there are guides for.
#[derive(Object)]
#[oai(rename = "GuideType")]
pub struct KindView {
    #[oai(rename = "type")]
    pub kind: ConnectionType,
    /// What people call the product.
    pub product: String,
    pub scim: ProvisioningView,
}

impl From<Kind> for KindView {
    fn from(kind: Kind) -> Self {
        let scim = match kind.provisioning {
            Provisioning::Full => ProvisioningView::Full,
            Provisioning::Limited => ProvisioningView::Limited,
            Provisioning::None => ProvisioningView::None,
        };
        Self { kind: kind.kind, product: kind.product.to_owned(), scim }
    }
}

/// All types that there are guides for.
#[derive(Object)]
#[oai(rename = "GuideTypes")]
pub struct KindsView {
    pub data: Vec<KindView>,
}

/// A step of a guide.
#[derive(Object)]
#[oai(rename = "GuideSection")]
pub struct SectionView {
    /// The same for the same step of every type: `create`, `fields`, `attributes`, `copy-back` …
    pub id: String,
    pub title: String,
    /// CommonMark with tables. Names of the organization stand in it escaped.
    pub markdown: String,
}

/// A field of the identity provider's console.
#[derive(Object)]
#[oai(rename = "GuideField")]
pub struct FieldView {
    /// What the console calls it.
    pub idp_field: String,
    /// What belongs into it, as plain text.
    pub value: String,
    /// Whether to copy the value letter by letter; else it is a choice, or what to do.
    pub copyable: bool,
    /// What the field is in the words of SAML or SCIM.
    pub meaning: String,
}

impl From<FieldValue> for FieldView {
    fn from(field: FieldValue) -> Self {
        let FieldValue { idp_field, value, copyable, meaning } = field;
        Self { idp_field, value, copyable, meaning }
    }
}

/// A set-up guide with the organization's own values.
#[derive(Object)]
#[oai(rename = "Guide")]
pub struct GuideView {
    #[oai(rename = "type")]
    pub kind: ConnectionType,
    pub title: String,
    pub sections: Vec<SectionView>,
    /// The fields to fill in, in the order of the console's page.
    pub fields: Vec<FieldView>,
    /// The whole guide as one Markdown document.
    pub text: String,
}

impl From<Guide> for GuideView {
    fn from(guide: Guide) -> Self {
        let text = guide.text();
        let section =
            |s: guides::Section| SectionView { id: s.id.to_owned(), title: s.title, markdown: s.markdown };
        Self {
            kind: guide.kind,
            title: guide.title,
            sections: guide.sections.into_iter().map(section).collect(),
            fields: guide.fields.into_iter().map(Into::into).collect(),
            text,
        }
    }
}

pub struct GuidesApi;

#[OpenApi(tag = "Tag::Guides")]
impl GuidesApi {
    /// List the types of identity providers that there are guides for
    #[expect(clippy::unused_async, reason = "operations are asynchronous, this one has nothing to wait for")]
    #[oai(path = "/guides", method = "get", operation_id = "list_guides")]
    async fn list(&self, _caller: Caller) -> Answer<Listed<KindsView>> {
        Ok(Listed::Ok(Json(KindsView { data: guides::kinds().map(Into::into).collect() })))
    }

    /// Read how to set up the identity provider of a SAML connection
    ///
    /// By the `type` of the connection: step by step, field by field in the words of that product's console, with this
    /// connection's addresses, domains and attribute names filled in.
    #[oai(
        path = "/organizations/:organization_id/saml-connections/:connection_id/guide",
        method = "get",
        operation_id = "get_saml_connection_guide"
    )]
    async fn of_connection(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
    ) -> Answer<Listed<GuideView>> {
        let (organization, connection) = (caller.organization(&organization_id)?, id(&connection_id)?);
        let guide = guides::of_connection(caller.services(), &caller.ctx, organization, connection).await?;
        Ok(Listed::Ok(Json(guide.into())))
    }

    /// Read how to let an identity provider provision by SCIM
    ///
    /// For a type that cannot, the guide says so and what to do instead.
    #[oai(
        path = "/organizations/:organization_id/scim/guide",
        method = "get",
        operation_id = "get_scim_guide"
    )]
    async fn of_directory(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        /// Whose product pushes; `generic` if absent.
        #[oai(name = "type")]
        kind: Query<Option<ConnectionType>>,
    ) -> Answer<Listed<GuideView>> {
        let organization = caller.organization(&organization_id)?;
        let kind = kind.0.unwrap_or(ConnectionType::Generic);
        let guide = guides::of_directory(caller.services(), &caller.ctx, organization, kind).await?;
        Ok(Listed::Ok(Json(guide.into())))
    }
}
