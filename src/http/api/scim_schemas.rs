//! `/api/v1/organizations/{organization_id}/scim/schemas`: what the organization keeps of its people besides the
//! attributes that SCIM has.

use super::Tag;
use super::answer::{Answer, Found, if_match};
use super::caller::Caller;
use crate::http::payload::JsonBody;
use crate::model::state::{AttributeMutability, AttributeReturned, AttributeType};
use crate::service::schemas::{self, OwnAttribute, OwnSchema, Schemas};
use poem_openapi::param::{Header, Path};
use poem_openapi::{Object, OpenApi};

/// A part of a complex attribute.
#[derive(Object)]
#[oai(rename = "ScimSubAttribute", deny_unknown_fields)]
pub struct SubAttributeView {
    /// A letter, then letters, digits, `-` and `_`; compares without case.
    pub name: String,
    /// Any but `complex`.
    #[oai(rename = "type")]
    pub kind: AttributeType,
    #[oai(default)]
    pub description: String,
    /// Whether text compares by its case; references and times always do.
    #[oai(default)]
    pub case_exact: bool,
    #[oai(default = "returned_by_default")]
    pub returned: AttributeReturned,
    /// Of strings: the usual values. Others are taken too.
    #[oai(default)]
    pub canonical_values: Vec<String>,
    /// Of references: `User`, `Group`, `external` or `uri`.
    #[oai(default)]
    pub reference_types: Vec<String>,
}

/// An attribute that the organization adds. It is never required, and its values need not be unique.
#[derive(Object)]
#[oai(rename = "ScimAttribute", deny_unknown_fields)]
pub struct AttributeView {
    /// A letter, then letters, digits, `-` and `_`; compares without case.
    pub name: String,
    #[oai(rename = "type")]
    pub kind: AttributeType,
    #[oai(default)]
    pub description: String,
    #[oai(default)]
    pub multi_valued: bool,
    /// Whether text compares by its case; references and times always do.
    #[oai(default)]
    pub case_exact: bool,
    #[oai(default = "read_write")]
    pub mutability: AttributeMutability,
    #[oai(default = "returned_by_default")]
    pub returned: AttributeReturned,
    /// Of strings: the usual values. Others are taken too.
    #[oai(default)]
    pub canonical_values: Vec<String>,
    /// Of references: `User`, `Group`, `external` or `uri`.
    #[oai(default)]
    pub reference_types: Vec<String>,
    /// Of complex attributes: 1 to 50 parts.
    #[oai(default)]
    pub sub_attributes: Vec<SubAttributeView>,
}

/// A schema that the organization adds to its users.
#[derive(Object)]
#[oai(rename = "ScimSchema", deny_unknown_fields)]
pub struct SchemaView {
    /// `urn:…`, in a namespace of the organization's own.
    pub urn: String,
    pub name: String,
    #[oai(default)]
    pub description: String,
    /// 1 to 100.
    pub attributes: Vec<AttributeView>,
}

/// The schemas that the organization adds to its users.
#[derive(Object)]
#[oai(rename = "ScimSchemas", deny_unknown_fields)]
pub struct SchemasView {
    /// At most 20.
    pub schemas: Vec<SchemaView>,
}

fn read_write() -> AttributeMutability {
    AttributeMutability::ReadWrite
}

fn returned_by_default() -> AttributeReturned {
    AttributeReturned::Default
}

impl From<OwnAttribute> for SubAttributeView {
    fn from(own: OwnAttribute) -> Self {
        Self {
            name: own.name,
            kind: own.kind,
            description: own.description,
            case_exact: own.case_exact,
            returned: own.returned,
            canonical_values: own.canonical_values,
            reference_types: own.reference_types,
        }
    }
}

impl From<SubAttributeView> for OwnAttribute {
    fn from(view: SubAttributeView) -> Self {
        Self {
            name: view.name,
            kind: view.kind,
            description: view.description,
            multi_valued: false,
            case_exact: view.case_exact,
            mutability: AttributeMutability::ReadWrite,
            returned: view.returned,
            canonical_values: view.canonical_values,
            reference_types: view.reference_types,
            sub_attributes: Vec::new(),
        }
    }
}

impl From<OwnAttribute> for AttributeView {
    fn from(own: OwnAttribute) -> Self {
        Self {
            name: own.name,
            kind: own.kind,
            description: own.description,
            multi_valued: own.multi_valued,
            case_exact: own.case_exact,
            mutability: own.mutability,
            returned: own.returned,
            canonical_values: own.canonical_values,
            reference_types: own.reference_types,
            sub_attributes: own.sub_attributes.into_iter().map(SubAttributeView::from).collect(),
        }
    }
}

impl From<AttributeView> for OwnAttribute {
    fn from(view: AttributeView) -> Self {
        Self {
            name: view.name,
            kind: view.kind,
            description: view.description,
            multi_valued: view.multi_valued,
            case_exact: view.case_exact,
            mutability: view.mutability,
            returned: view.returned,
            canonical_values: view.canonical_values,
            reference_types: view.reference_types,
            sub_attributes: view.sub_attributes.into_iter().map(Self::from).collect(),
        }
    }
}

impl From<SchemaView> for OwnSchema {
    fn from(view: SchemaView) -> Self {
        let attributes = view.attributes.into_iter().map(OwnAttribute::from).collect();
        Self { urn: view.urn, name: view.name, description: view.description, attributes }
    }
}

impl From<OwnSchema> for SchemaView {
    fn from(own: OwnSchema) -> Self {
        let attributes = own.attributes.into_iter().map(AttributeView::from).collect();
        Self { urn: own.urn, name: own.name, description: own.description, attributes }
    }
}

fn found(schemas: Schemas) -> Found<SchemasView> {
    let view = SchemasView { schemas: schemas.schemas.into_iter().map(SchemaView::from).collect() };
    Found::new(view, schemas.version)
}

pub struct SchemasApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::Scim")]
impl SchemasApi {
    /// Read the organization's own SCIM schemas
    #[oai(path = "/:organization_id/scim/schemas", method = "get", operation_id = "get_scim_schemas")]
    async fn get(&self, caller: Caller, organization_id: Path<String>) -> Answer<Found<SchemasView>> {
        let organization = caller.organization(&organization_id)?;
        Ok(found(schemas::list(caller.services(), &caller.ctx, organization).await?))
    }

    /// Replace the organization's own SCIM schemas
    ///
    /// From the next request on they are users' extensions like the built-in one: in `/Schemas` and `/ResourceTypes`,
    /// in bodies, PATCH paths, filters, orders and projections. An attribute of which a user holds a value can be
    /// neither taken away nor given another type (409 `schema_in_use`).
    #[oai(path = "/:organization_id/scim/schemas", method = "put", operation_id = "replace_scim_schemas")]
    async fn replace(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        /// The `ETag` that was read; the change is refused if it is not current any more.
        #[oai(name = "If-Match")]
        if_match_header: Header<Option<String>>,
        body: JsonBody<SchemasView>,
    ) -> Answer<Found<SchemasView>> {
        let organization = caller.organization(&organization_id)?;
        let expected = if_match(if_match_header.0.as_deref())?;
        let wanted = body.0.schemas.into_iter().map(OwnSchema::from).collect();
        let replaced =
            schemas::replace(caller.services(), &caller.ctx, organization, expected, wanted).await?;
        Ok(found(replaced))
    }
}
