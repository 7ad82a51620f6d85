//! Notes each call for the SCIM request log, once it is known whose it is: what was sent and answered, how long it took,
//! and whether the client hung up. A call of nobody known leaves no trace here.
//!
//! On the request's way stand a slot and a few short copies; reading, masking and writing are the background's.

use crate::http::middleware::{Layer, layer};
use crate::http::payload::scim_json::Sent;
use crate::http::state::State;
use crate::model::actor::{Actor, DirectoryCredential};
use crate::model::id::OrganizationId;
use crate::protocol::scim_log::mask;
use crate::service::Ctx;
use crate::service::scim_credentials::Whose;
use crate::service::scim_requests::{Facts, Head, Noted, Part};
use poem::{Endpoint, Request, Response, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

/// Where the layers inside leave what they learn of a call.
#[derive(Clone, Default)]
pub(super) struct Slot(Arc<Mutex<Learned>>);

#[derive(Default)]
struct Learned {
    head: Option<Head>,
    request: Option<Part>,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Learned> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The body was read.
    pub(super) fn received(request: &Request, body: &[u8]) {
        if let Some(slot) = request.data::<Self>() {
            slot.lock().request = Some(Part::of(body));
        }
    }

    /// The call is one of this directory's.
    pub(super) fn known(request: &Request, ctx: &Ctx) {
        let Actor::Directory { credential, organization, domain, .. } = &ctx.actor else { return };
        let domain = domain.as_ref().map(ToString::to_string);
        Self::fill(request, ctx, *organization, *credential, domain, None);
    }

    /// The call came with a credential that was once of this organization's directory, and opens nothing.
    pub(super) fn refused(request: &Request, ctx: &Ctx, whose: Whose, refusal: (&'static str, String)) {
        Self::fill(request, ctx, whose.organization, whose.credential, None, Some(refusal));
    }

    fn fill(
        request: &Request,
        ctx: &Ctx,
        organization: OrganizationId,
        credential: DirectoryCredential,
        domain: Option<String>,
        refusal: Option<(&'static str, String)>,
    ) {
        let Some(slot) = request.data::<Self>() else { return };
        let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let uri = request.uri();
        let head = Head {
            organization,
            credential,
            domain,
            refusal,
            at: ctx.now,
            method: request.method().as_str().to_owned(),
            path: uri.path_and_query().map_or(uri.path(), |path| path.as_str()).to_owned(),
            headers: mask::headers(headers),
            request_id: Arc::clone(&ctx.request_id),
            ip: ctx.ip,
        };
        slot.lock().head = Some(head);
    }
}

/// A call under way. If it is dropped without an answer, the client has hung up.
struct Pending {
    state: Arc<State>,
    slot: Slot,
    start: Instant,
}

impl Pending {
    fn note(&self, status: Option<u16>, response: Option<Part>, facts: Facts) {
        let Learned { head, request } = std::mem::take(&mut *self.slot.lock());
        let Some(head) = head else { return };
        let took = self.start.elapsed();
        self.state.services.scim_log.note(Noted { head, status, took, request, response, facts });
    }

    fn answered(self, response: &mut Response) {
        let sent = response.extensions_mut().remove::<Sent>().map(|Sent(part)| part);
        let facts = response.extensions_mut().remove::<Facts>().unwrap_or_default();
        self.note(Some(response.status().as_u16()), sent, facts);
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.note(None, None, Facts::default());
    }
}

/// The layer; see the module docs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record;

impl Layer for Record {
    async fn around<E: Endpoint>(&self, inner: &E, mut request: Request) -> Result<Response> {
        let state = State::of(&request)?;
        if !state.services.scim_log.is_on() {
            return Ok(inner.get_response(request).await);
        }
        let pending = Pending { state: Arc::clone(state), slot: Slot::default(), start: Instant::now() };
        request.extensions_mut().insert(pending.slot.clone());
        let mut response = inner.get_response(request).await;
        pending.answered(&mut response);
        Ok(response)
    }
}

layer!(Record);
