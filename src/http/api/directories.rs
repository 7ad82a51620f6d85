//! `/api/v1/organizations/{organization_id}/scim`: the directory as its administrators see it. The SCIM protocol
//! itself is another door.

use super::Tag;
use super::answer::{Answer, Failure, Found, Listed, if_match};
use super::caller::Caller;
use super::dto::{Time, id_field};
use super::scim_dry_run::{self, CapturedCall, DryRunView};
use super::scim_tokens::ScimTokenView;
use crate::http::payload::JsonBody;
use crate::model::state::{Conformance, ForeignAddresses, KeptOut, ProvisioningMode};
use crate::service::Error;
use crate::service::directories::{self, Overview, UpdateDirectory};
use crate::service::reactivation::{self, Credential, GivenBack, Wanted};
use poem_openapi::param::{Header, Path};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

/// The directory of an organization.
#[derive(Object)]
#[oai(rename = "ScimSettings")]
pub struct ScimView {
    /// TypeID of the directory, `dir_…`.
    pub directory_id: String,
    /// What the IdP asks for as base URL or tenant URL.
    pub scim_base_url: String,
    /// Who creates members; set on the organization.
    pub provisioning_mode: ProvisioningMode,
    /// What happens to a person with an address outside the domains below.
    pub foreign_addresses: ForeignAddresses,
    /// How strictly the directory reads what the IdP sends: `profile` makes the refusals of the SCIM Interoperability
    /// Profile, which Okta and Entra ID run into.
    pub conformance: Conformance,
    /// Whether SCIM tokens are refused, so that only OAuth clients come in.
    pub oauth_only: bool,
    /// Whether the `roles` of its users set the members' roles: a value that is the id of a Role (`member`, `admin`)
    /// works like a group that is mapped to it. `/Roles` and its resource type are there only then.
    pub roles_on_users: bool,
    /// Names of the verified domains that the directory speaks for (`scim_enabled` of a domain).
    pub domains: Vec<String>,
    /// All tokens, revoked ones too, oldest first.
    pub tokens: Vec<ScimTokenView>,
    pub updated_at: Time,
}

impl ScimView {
    fn found(caller: &Caller, overview: &Overview) -> Found<Self> {
        let view = Self {
            directory_id: overview.directory.id.to_string(),
            scim_base_url: directories::base_url(caller.services()),
            provisioning_mode: overview.provisioning_mode,
            foreign_addresses: overview.directory.foreign_addresses,
            conformance: overview.directory.conformance,
            oauth_only: overview.directory.oauth_only,
            roles_on_users: overview.directory.roles_on_users,
            domains: overview.domains.iter().map(|d| d.name.to_string()).collect(),
            tokens: overview.tokens.iter().map(|row| ScimTokenView::new(row, caller.ctx.now)).collect(),
            updated_at: overview.directory.updated_at.to_datetime(),
        };
        Found::new(view, overview.directory.version)
    }
}

/// Changes of the directory (JSON Merge Patch).
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct UpdateScim {
    /// Needs the right to change trust.
    pub foreign_addresses: Option<ForeignAddresses>,
    pub conformance: Option<Conformance>,
    /// Needs the right to change trust.
    pub oauth_only: Option<bool>,
    /// Needs the right to change trust. Everybody's role follows at once, both ways.
    pub roles_on_users: Option<bool>,
}

/// Whose deactivations are given back.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct ReactivateBatch {
    /// TypeID of a SCIM token, `sct_…`, revoked or not; either this or `client_id`.
    pub token_id: Option<String>,
    /// TypeID of an OAuth client, `scl_…`, revoked or not.
    pub client_id: Option<String>,
    /// From this time on: `since` of the event `directory.mass_deactivation`, for example.
    pub since: Time,
    /// Until this time; now if absent.
    pub until: Option<Time>,
}

impl ReactivateBatch {
    fn credential(&self) -> Result<Credential, Failure> {
        match (&self.token_id, &self.client_id) {
            (Some(token), None) => Ok(Credential::Token(id_field("token_id", token)?)),
            (None, Some(client)) => Ok(Credential::Client(id_field("client_id", client)?)),
            _ => {
                let message = "Name one credential of the directory: token_id or client_id.";
                Err(Error::field("token_id", "one_of", message).into())
            }
        }
    }
}

/// Somebody who was not given back.
#[derive(Object)]
#[oai(rename = "KeptOutMember", skip_serializing_if_is_none)]
pub struct KeptOutView {
    /// TypeID of the user, `usr_…`.
    pub user_id: String,
    pub email: Option<String>,
    pub display_name: Option<String>,
    pub because: KeptOut,
}

/// What was given back.
#[derive(Object)]
#[oai(rename = "ReactivatedBatch")]
pub struct ReactivatedView {
    /// How many came back.
    pub reactivated: usize,
    /// How many of those whom the credential put out stay out, because somebody else has said so too.
    pub kept_out: usize,
    /// Who stays out, and why: at most 200 of them.
    pub kept_out_members: Vec<KeptOutView>,
    /// `false` if there are more people to come back than one call takes (5,000): call again.
    pub complete: bool,
}

impl From<GivenBack> for ReactivatedView {
    fn from(done: GivenBack) -> Self {
        let kept_out_members = done.left.into_iter().map(|left| KeptOutView {
            user_id: left.user.to_string(),
            email: left.email.map(|email| email.to_string()),
            display_name: left.display_name,
            because: left.because,
        });
        Self {
            reactivated: done.reactivated,
            kept_out: done.kept_out,
            kept_out_members: kept_out_members.collect(),
            complete: done.complete,
        }
    }
}

pub struct DirectoriesApi;

#[OpenApi(prefix_path = "/organizations", tag = "Tag::Scim")]
impl DirectoriesApi {
    /// Read the SCIM settings
    #[oai(path = "/:organization_id/scim", method = "get", operation_id = "get_scim")]
    async fn get(&self, caller: Caller, organization_id: Path<String>) -> Answer<Found<ScimView>> {
        let organization = caller.organization(&organization_id)?;
        let overview = directories::find(caller.services(), &caller.ctx, organization).await?;
        Ok(ScimView::found(&caller, &overview))
    }

    /// Change the SCIM settings
    #[oai(path = "/:organization_id/scim", method = "patch", operation_id = "update_scim")]
    async fn update(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        /// The `ETag` that was read; the change is refused if it is not current any more.
        #[oai(name = "If-Match")]
        if_match_header: Header<Option<String>>,
        body: JsonBody<UpdateScim>,
    ) -> Answer<Found<ScimView>> {
        let organization = caller.organization(&organization_id)?;
        let expected = if_match(if_match_header.0.as_deref())?;
        let wanted = UpdateDirectory {
            foreign_addresses: body.foreign_addresses,
            conformance: body.conformance,
            oauth_only: body.oauth_only,
            roles_on_users: body.roles_on_users,
        };
        let overview =
            directories::update(caller.services(), &caller.ctx, organization, expected, wanted).await?;
        Ok(ScimView::found(&caller, &overview))
    }

    /// Bring back whom a SCIM credential deactivated
    ///
    /// A change of trust, for a sync that went wrong. Those whose access this credential ended since the time given come
    /// back as ordinary members, with what their groups give; the directory users are active again. Whom an
    /// administrator has deactivated or removed as well, or another credential, stays out. Nobody's session comes back.
    #[oai(
        path = "/:organization_id/scim/reactivate-batch",
        method = "post",
        operation_id = "reactivate_scim_batch"
    )]
    async fn reactivate_batch(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        body: JsonBody<ReactivateBatch>,
    ) -> Answer<Listed<ReactivatedView>> {
        let organization = caller.organization(&organization_id)?;
        let wanted = Wanted {
            credential: body.credential()?,
            since: body.since.into(),
            until: body.until.map(Into::into),
        };
        let done = reactivation::give_back(caller.services(), &caller.ctx, organization, wanted).await?;
        Ok(Listed::Ok(Json(done.into())))
    }

    /// See what a SCIM call would do
    ///
    /// Takes a call as the identity provider sent it, or would send it, and tells what Postern would answer, what would
    /// become of members, users, groups, roles, sessions and invites, and why. It is carried out by the same code as a
    /// real call and then taken back: nothing is changed, and the request log does not have it. Ids of what would be
    /// made, times and versions are examples. It needs `scim:write`, because it takes the locks of a change and answers
    /// what else only the holder of a SCIM token could ask; an organization has one dry run at a time, of at most 5
    /// seconds (503 `dry_run_hindered` if that is not enough).
    #[oai(path = "/:organization_id/scim/dry-run", method = "post", operation_id = "dry_run_scim")]
    async fn dry_run(
        &self,
        caller: Caller,
        organization_id: Path<String>,
        body: JsonBody<CapturedCall>,
    ) -> Answer<Listed<DryRunView>> {
        let organization = caller.organization(&organization_id)?;
        Ok(Listed::Ok(Json(scim_dry_run::run(&caller, organization, body.0).await?)))
    }
}
