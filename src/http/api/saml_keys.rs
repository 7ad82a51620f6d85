//! `/api/v1/organizations/{organization_id}/saml-connections/{connection_id}/keys`: our own keys.

use super::Tag;
use super::answer::{Answer, Done, Failure, Listed};
use super::caller::Caller;
use super::dto::{Time, id};
use crate::http::payload::JsonBody;
use crate::model::id::{ConnectionId, OrganizationId};
use crate::model::saml::{SamlKeyPurpose, SamlKeyState};
use crate::model::time::Timestamp;
use crate::protocol::saml::certificate::KeyKind;
use crate::service::Error;
use crate::service::saml_keys::{self, SamlKey};
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};

/// A key of ours at a SAML connection. Its private part is never shown.
#[derive(Object)]
#[oai(rename = "SamlKey", skip_serializing_if_is_none)]
pub struct SamlKeyView {
    /// TypeID, `smk_…`.
    pub id: String,
    pub purpose: SamlKeyPurpose,
    pub state: SamlKeyState,
    /// Whether our metadata shows it now.
    pub published: bool,
    /// What is given to the IdP, in PEM form.
    pub certificate_pem: String,
    /// SHA-256 over the certificate, as IdP consoles show it.
    pub sha256_fingerprint: String,
    /// Such as `RSA 2048`.
    pub key_type: String,
    pub not_before: Time,
    pub not_after: Time,
    pub created_at: Time,
    /// When it became the current one.
    pub activated_at: Option<Time>,
}

impl SamlKeyView {
    fn new(key: &SamlKey) -> Result<Self, Error> {
        let certificate = saml_keys::certificate(key)?;
        Ok(Self {
            id: key.id.to_string(),
            purpose: key.purpose,
            state: key.state,
            published: saml_keys::is_published(key),
            certificate_pem: key.certificate.clone(),
            sha256_fingerprint: certificate.fingerprint().to_owned(),
            key_type: match certificate.key_kind() {
                KeyKind::Rsa(bits) => format!("RSA {bits}"),
                KeyKind::Ec(bits) => format!("EC P-{bits}"),
            },
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            created_at: key.created_at.to_datetime(),
            activated_at: key.activated_at.map(Timestamp::to_datetime),
        })
    }
}

/// The keys of a connection.
#[derive(Object)]
pub struct SamlKeyList {
    /// All of them, oldest first.
    pub data: Vec<SamlKeyView>,
}

/// A new key.
#[derive(Object)]
#[oai(rename = "CreateSamlKey", deny_unknown_fields)]
pub struct CreateBody {
    pub purpose: SamlKeyPurpose,
    /// The size of the RSA key: 2048 (if absent), 3072 or 4096. Larger ones cost more at each sign-in.
    pub bits: Option<u32>,
}

/// A key that was made.
#[derive(ApiResponse)]
pub enum KeyMade {
    /// The new key.
    #[oai(status = 201)]
    Created(Json<SamlKeyView>, #[oai(header = "Location")] String),
}

fn ids(caller: &Caller, organization: &str, connection: &str) -> Answer<(OrganizationId, ConnectionId)> {
    Ok((caller.organization(organization)?, id(connection)?))
}

fn shown(key: &SamlKey) -> Answer<Listed<SamlKeyView>> {
    Ok(Listed::Ok(Json(SamlKeyView::new(key)?)))
}

pub struct SamlKeysApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::SamlConnections")]
impl SamlKeysApi {
    /// List our keys of a SAML connection
    ///
    /// Oldest first. The first key to encrypt to is made by this, if there is none yet.
    #[oai(
        path = "/:organization_id/saml-connections/:connection_id/keys",
        method = "get",
        operation_id = "list_saml_keys"
    )]
    async fn list(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
    ) -> Answer<Listed<SamlKeyList>> {
        let (organization, connection) = ids(&caller, &organization_id, &connection_id)?;
        let keys = saml_keys::list(caller.services(), &caller.ctx, organization, connection).await?;
        let data = keys.iter().map(SamlKeyView::new).collect::<Result<Vec<_>, _>>().map_err(Failure::from)?;
        Ok(Listed::Ok(Json(SamlKeyList { data })))
    }

    /// Make a key of ours for a SAML connection
    ///
    /// The first one of its purpose is current at once. Any other begins a rotation: our metadata shows it beside the
    /// current one as the next. Give the IdP time to read it, or its certificate by hand, then activate it.
    #[oai(
        path = "/:organization_id/saml-connections/:connection_id/keys",
        method = "post",
        operation_id = "create_saml_key"
    )]
    async fn create(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
        body: JsonBody<CreateBody>,
    ) -> Answer<KeyMade> {
        let (organization, connection) = ids(&caller, &organization_id, &connection_id)?;
        let bits = body.0.bits.unwrap_or(saml_keys::SIZES[0]);
        let (services, ctx) = (caller.services(), &caller.ctx);
        let key = saml_keys::create(services, ctx, organization, connection, body.0.purpose, bits).await?;
        let location =
            format!("/api/v1/organizations/{organization}/saml-connections/{connection}/keys/{}", key.id);
        Ok(KeyMade::Created(Json(SamlKeyView::new(&key)?), location))
    }

    /// Read a key of ours of a SAML connection
    #[oai(
        path = "/:organization_id/saml-connections/:connection_id/keys/:key_id",
        method = "get",
        operation_id = "get_saml_key"
    )]
    async fn get(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
        key_id: Path<String>,
    ) -> Answer<Listed<SamlKeyView>> {
        let (organization, connection) = ids(&caller, &organization_id, &connection_id)?;
        let (services, ctx) = (caller.services(), &caller.ctx);
        shown(&saml_keys::find(services, ctx, organization, connection, id(&key_id)?).await?)
    }

    /// Make a key of ours the current one
    ///
    /// Of an active connection a change of trust. The key that was current is a previous one from now on: it signs no more
    /// and our metadata asks nobody to encrypt to it, but what is encrypted to it is decrypted until it is deleted.
    #[oai(
        path = "/:organization_id/saml-connections/:connection_id/keys/:key_id/activate",
        method = "post",
        operation_id = "activate_saml_key"
    )]
    async fn activate(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
        key_id: Path<String>,
    ) -> Answer<Listed<SamlKeyView>> {
        let (organization, connection) = ids(&caller, &organization_id, &connection_id)?;
        let (services, ctx) = (caller.services(), &caller.ctx);
        shown(&saml_keys::activate(services, ctx, organization, connection, id(&key_id)?).await?)
    }

    /// Delete a key of ours of a SAML connection
    ///
    /// Of an active connection a change of trust. 409 `key_is_current` while another one could be activated instead, and
    /// 409 `key_in_use` for the last one while the connection signs requests or requires encryption.
    #[oai(
        path = "/:organization_id/saml-connections/:connection_id/keys/:key_id",
        method = "delete",
        operation_id = "delete_saml_key"
    )]
    async fn delete(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        connection_id: Path<String>,
        key_id: Path<String>,
    ) -> Answer<Done> {
        let (organization, connection) = ids(&caller, &organization_id, &connection_id)?;
        let (services, ctx) = (caller.services(), &caller.ctx);
        saml_keys::delete(services, ctx, organization, connection, id(&key_id)?).await?;
        Ok(Done::NoContent)
    }
}
