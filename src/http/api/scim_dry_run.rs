//! What `POST /api/v1/organizations/{organization_id}/scim/dry-run` takes and shows; the operation stands with the other
//! settings of SCIM.

use super::answer::Failure;
use super::caller::Caller;
use super::dto::id_field;
use super::scim_requests::BodyView;
use crate::http::scim::dry_run::{Captured, Foretold, rehearse};
use crate::model::event::NewEvent;
use crate::model::id::OrganizationId;
use crate::model::state::{Conformance, ForeignAddresses, ProvisioningMode};
use crate::protocol::scim::remarks::Remark;
use crate::service::Error;
use crate::service::dry_run::{As, Assumed, Effect, NAMED};
use poem_openapi::Object;
use poem_openapi::types::Any;
use serde_json::Value;
use std::collections::HashMap;

/// A SCIM call as an identity provider sends it.
#[derive(Object)]
#[oai(deny_unknown_fields)]
pub struct CapturedCall {
    pub method: String,
    /// With its query, as the identity provider's log shows it: the whole URL, or from `/scim/v2` on, or below that.
    pub path: String,
    /// `Content-Type`, `If-Match` and `If-None-Match` are read, and none is given back. `Authorization` is not read:
    /// leave it out.
    pub headers: Option<HashMap<String, String>>,
    /// The body: as JSON, or as a string with the text that was sent, byte for byte, which also shows what is wrong
    /// with a body that is not JSON.
    pub body: Option<Any<Value>>,
    /// TypeID of a SCIM token, `sct_…`, that the call is taken for. Without one of these three it is taken for one by
    /// the credential of the whole directory that was used last.
    pub token_id: Option<String>,
    /// TypeID of an OAuth client, `scl_…`, that the call is taken for.
    pub client_id: Option<String>,
    /// TypeID of a domain, `dom_…`: the call is taken for one by a token that is bound to it.
    pub domain_id: Option<String>,
}

impl CapturedCall {
    fn wanted(&self) -> Result<As, Failure> {
        match (&self.token_id, &self.client_id, &self.domain_id) {
            (None, None, None) => Ok(As::Directory),
            (Some(token), None, None) => Ok(As::Token(id_field("token_id", token)?)),
            (None, Some(client), None) => Ok(As::Client(id_field("client_id", client)?)),
            (None, None, Some(domain)) => Ok(As::Domain(id_field("domain_id", domain)?)),
            _ => {
                let message = "Name one of token_id, client_id and domain_id at most.";
                Err(Error::field("token_id", "one_of", message).into())
            }
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        match self.body.take() {
            None | Some(Any(Value::Null)) => Vec::new(),
            Some(Any(Value::String(text))) => text.into_bytes(),
            Some(Any(json)) => json.to_string().into_bytes(),
        }
    }
}

/// What Postern would answer.
#[derive(Object)]
#[oai(rename = "ScimDryRunAnswer", skip_serializing_if_is_none)]
pub struct AnswerView {
    pub status: u16,
    /// Of a refusal: its `scimType`.
    pub error_code: Option<String>,
    /// Why it would be refused.
    pub error: Option<String>,
    pub location: Option<String>,
    /// Masked as in the SCIM log.
    pub body: BodyView,
}

/// What would become of something.
#[derive(Object)]
#[oai(rename = "ScimDryRunEffect", skip_serializing_if_is_none)]
pub struct EffectView {
    /// `member`, `directory_user`, `directory_group`, `invite`, `session`, `link`, `api_key` or `organization`.
    pub object: String,
    /// What would happen to it, as in the kinds of events: `added`, `deactivated`, `role_changed` and so on.
    pub action: String,
    /// Its id; that of what would be made is an example.
    pub id: String,
    /// In a sentence.
    pub summary: String,
    /// Why: the domain, the role mapping, the rule.
    pub because: Option<String>,
}

impl From<Effect> for EffectView {
    fn from(effect: Effect) -> Self {
        Self {
            object: effect.object.to_owned(),
            action: effect.action.to_owned(),
            id: effect.id,
            summary: effect.summary,
            because: effect.because,
        }
    }
}

/// An event that would be recorded.
#[derive(Object)]
#[oai(rename = "ScimDryRunEvent")]
pub struct EventView {
    pub kind: String,
    /// The id of what it would happen to.
    pub subject: String,
    pub data: Value,
}

impl From<NewEvent> for EventView {
    fn from(event: NewEvent) -> Self {
        Self { kind: event.kind.to_string(), subject: event.subject, data: event.data }
    }
}

/// Something worth knowing about the call.
#[derive(Object)]
#[oai(rename = "ScimDryRunRemark", skip_serializing_if_is_none)]
pub struct RemarkView {
    /// A stable word, such as `unknown_attribute_ignored`, `read_tolerantly`, `refused_in_profile`, `no_credential`.
    pub code: String,
    /// Where in the call.
    pub at: Option<String>,
    pub message: String,
}

impl From<Remark> for RemarkView {
    fn from(remark: Remark) -> Self {
        let at = Some(remark.at).filter(|at| !at.is_empty());
        Self { code: remark.code.to_owned(), at, message: remark.message }
    }
}

/// What the call was taken for.
#[derive(Object)]
#[oai(rename = "ScimDryRunAssumptions", skip_serializing_if_is_none)]
pub struct AssumedView {
    /// TypeID of the directory, `dir_…`.
    pub directory_id: String,
    /// `scim_token` or `scim_client`.
    pub credential_kind: String,
    /// Absent if there is no such credential and one was invented.
    pub credential_id: Option<String>,
    /// The one domain that the credential is bound to.
    pub bound_to_domain: Option<String>,
    pub provisioning_mode: ProvisioningMode,
    pub foreign_addresses: ForeignAddresses,
    pub conformance: Conformance,
    pub oauth_only: bool,
    pub roles_on_users: bool,
    /// The verified domains that the directory speaks for.
    pub domains: Vec<String>,
}

impl From<Assumed> for AssumedView {
    fn from(assumed: Assumed) -> Self {
        Self {
            directory_id: assumed.directory.id.to_string(),
            credential_kind: assumed.credential.kind().to_owned(),
            credential_id: assumed.credential_exists.then(|| assumed.credential.to_string()),
            bound_to_domain: assumed.bound_to.map(|domain| domain.to_string()),
            provisioning_mode: assumed.provisioning_mode,
            foreign_addresses: assumed.directory.foreign_addresses,
            conformance: assumed.directory.conformance,
            oauth_only: assumed.directory.oauth_only,
            roles_on_users: assumed.directory.roles_on_users,
            domains: assumed.domains.iter().map(ToString::to_string).collect(),
        }
    }
}

/// What a SCIM call would do. Nothing of it was done.
#[derive(Object)]
#[oai(rename = "ScimDryRun")]
pub struct DryRunView {
    /// In a sentence: "Would deactivate jo@acme.com."
    pub summary: String,
    pub answer: AnswerView,
    /// What would become of members, users, groups, roles, sessions and invites: at most 200.
    pub effects: Vec<EffectView>,
    /// The events that would be recorded, in their order: at most 200.
    pub events: Vec<EventView>,
    /// Whether there are more events than are named.
    pub truncated: bool,
    /// What was ignored or read tolerantly, and what a real call would meet besides.
    pub remarks: Vec<RemarkView>,
    pub assumed: AssumedView,
}

impl From<Foretold> for DryRunView {
    fn from(told: Foretold) -> Self {
        let mut events = told.traces.events;
        let truncated = events.len() > NAMED;
        events.truncate(NAMED);
        let (text, cut) = told.body.map_or((None, false), |body| (Some(body.text), body.cut));
        let bytes = i64::try_from(told.bytes).unwrap_or(i64::MAX);
        let answer = AnswerView {
            status: told.status,
            error_code: told.error_code,
            error: told.error,
            location: told.location,
            body: BodyView::new(text.as_deref(), bytes, cut, "The answer is not JSON."),
        };
        Self {
            summary: told.summary,
            answer,
            effects: told.traces.effects.into_iter().map(Into::into).collect(),
            events: events.into_iter().map(Into::into).collect(),
            truncated,
            remarks: told.remarks.into_iter().map(Into::into).collect(),
            assumed: told.assumed.into(),
        }
    }
}

/// Carries out the operation.
pub(super) async fn run(
    caller: &Caller,
    organization: OrganizationId,
    mut call: CapturedCall,
) -> Result<DryRunView, Failure> {
    let wanted = call.wanted()?;
    let (services, body) = (caller.services(), call.bytes());
    let headers = call.headers.take().unwrap_or_default();
    let captured = Captured::read(services, (&call.method, &call.path), &headers, body)?;
    Ok(rehearse(services, &caller.ctx, organization, wanted, captured).await?.into())
}
