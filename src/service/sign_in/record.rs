//! What is written down of a sign-in that ended. A success has been committed with its event already and is only noted for
//! the log. A refusal gets a transaction of its own, since the sign-in's is undone: the attempt is used up, and the event
//! says why. Refusals that use up nothing cost whoever causes them nothing, so only some of them are written down.

use super::refusal::{Reason, Refusal};
use super::{Outcome, Trace, test};
use crate::model::actor::Actor;
use crate::model::event::EventKind;
use crate::model::state::Role;
use crate::model::tenant::TenantScope;
use crate::protocol::saml::{Certificate, Console};
use crate::service::cache::KnownConnection;
use crate::service::sign_in_log::{Ending, Noted, Said, Why};
use crate::service::{Ctx, Error, Services, credentials, pending_links};
use crate::store;
use serde_json::json;

/// What the browser calls itself is cut here.
const LONGEST_USER_AGENT: usize = 300;

/// A sign-in that ended, to be written down.
pub(super) struct Record<'a> {
    pub services: &'a Services,
    pub ctx: &'a Ctx,
    pub known: &'a KnownConnection,
    pub trace: Trace,
    pub user_agent: Option<&'a str>,
}

impl Record<'_> {
    /// Notes a sign-in that ended in a session.
    pub fn signed_in(self) {
        let Some(done) = self.trace.admitted else { return };
        let ending = Ending::SignedIn {
            user: done.user,
            session: done.session,
            created: done.created,
            linked: done.linked,
        };
        self.note(ending, 0);
    }

    /// Writes a refusal down; of a test, what it found. `session` is the cookie of whoever reads the page.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn refused(self, reason: Reason, session: Option<&str>) -> Result<Outcome, Error> {
        let (services, ctx, connection) = (self.services, self.ctx, &self.known.row);
        let console = Console::from_type(connection.kind.as_str());
        let mut refusal = Refusal::new(&reason, console, &*services.random);
        let attempt = self.trace.attempt.as_ref().filter(|_| self.trace.own);
        let uses_up = attempt.is_some_and(|attempt| attempt.consumed_at.is_none());
        if uses_up && self.trace.test().is_some() {
            return test::failed(self, refusal).await;
        }
        let left_out = if uses_up {
            0
        } else {
            match services.sign_in_log.may_refuse(connection.id, ctx.now) {
                Some(left_out) => left_out,
                None => return Ok(Outcome::Refused(refusal)),
            }
        };
        let organization = connection.organization_id;
        let scope = TenantScope::established(organization);
        let actor = if self.trace.assertion.is_some() {
            Actor::Idp { connection: connection.id, organization }
        } else {
            Actor::Anonymous
        };
        let data = json!({
            "code": refusal.code,
            "reference": refusal.reference,
            "detail": refusal.detail,
            "next_step": refusal.next_step,
            "connection": connection.id,
            "attempt": self.trace.attempt.as_ref().map(|attempt| attempt.id),
            "address": self.trace.address,
        });
        let subject =
            self.trace.attempt.as_ref().map_or_else(|| connection.id.to_string(), |a| a.id.to_string());
        let tx = services.begin().await?;
        if let Some(attempt) = attempt {
            let detail = format!("{}: {}", refusal.reference, refusal.detail);
            store::sign_in_attempts::refuse(&tx, scope, attempt.id, refusal.code, &detail, ctx.now).await?;
        }
        services
            .record(&tx, &ctx.acting(actor.clone()), organization, EventKind::SignInRefused, subject, data)
            .await?;
        if let Reason::LinkPending(wanted) = &reason {
            let reference = &refusal.reference;
            pending_links::ask(services, &tx, &ctx.acting(actor), scope, wanted, reference).await?;
        }
        tx.commit().await?;
        refusal.for_admin = self.is_read_by_admin(session).await;
        self.note(Ending::Refused(Box::new(Why::of(&refusal))), left_out);
        Ok(Outcome::Refused(refusal))
    }

    /// Whether an administrator or owner of the organization is signed in in this browser, or was when the sign-in
    /// began: the session's cookie does not come along with what another site posts.
    async fn is_read_by_admin(&self, session: Option<&str>) -> bool {
        let (services, now) = (self.services, self.ctx.now);
        let begun = self.trace.attempt.as_ref().filter(|_| self.trace.own).and_then(|a| a.session_id);
        let own = self.known.row.organization_id;
        let administers = |actor: &Actor| matches!(actor, Actor::Person { organization, role, .. } if *organization == own && *role >= Role::Admin);
        if let Some(cookie) = session
            && let Ok((known, _)) = credentials::session(services, cookie, now).await
        {
            return administers(&known.actor);
        }
        let Some(begun) = begun else { return false };
        let found = credentials::session_by_id(services, TenantScope::established(own), begun, now).await;
        found.is_ok_and(|(known, _)| administers(&known.actor))
    }

    /// Notes how it ended, for the log.
    pub fn note(self, ending: Ending, left_out: u64) {
        if !self.services.sign_in_log.journal.is_on() {
            return;
        }
        let connection = &self.known.row;
        let (said, certificate) = self.said(&ending);
        let user_agent = self.user_agent.map(|text| {
            let kept: String = text.chars().filter(|c| !c.is_control()).take(LONGEST_USER_AGENT).collect();
            kept.into_boxed_str()
        });
        self.services.sign_in_log.journal.note(Noted {
            organization: connection.organization_id,
            connection: connection.id,
            attempt: self.trace.attempt.as_ref().map(|attempt| (attempt.id, attempt.created_at)),
            at: self.ctx.now,
            ending,
            said,
            address: self.trace.address,
            certificate,
            unmask: connection.unmask_sign_in_attributes,
            ip: self.ctx.ip,
            user_agent,
            request_id: self.ctx.request_id.clone(),
            left_out,
        });
    }

    /// What the response says: by the IdP's word, else by the sender's. With it the certificate that verified the
    /// signature, where the response was refused later and does not carry it.
    fn said(&self, ending: &Ending) -> (Said, Option<String>) {
        if let Some(assertion) = &self.trace.assertion {
            return (Said::Verified(assertion.clone()), None);
        }
        let Some(response) = &self.trace.response else { return (Said::Nothing, None) };
        let claims = response.claims();
        let signed = match ending {
            Ending::Refused(why) | Ending::Test { why: Some(why), .. } => {
                super::codes::is_after_signature(why.code) && !claims.encrypted
            }
            _ => false,
        };
        let only = match &self.known.certificates[..] {
            [only] if signed => Some(Certificate::fingerprint(only).to_owned()),
            _ => None,
        };
        (Said::Claimed(Box::new(claims)), only)
    }
}

impl Why {
    /// Of a refusal.
    pub(super) fn of(refusal: &Refusal) -> Self {
        Self {
            code: refusal.code,
            reference: refusal.reference.clone(),
            detail: refusal.detail.clone(),
            next_step: refusal.next_step.clone(),
        }
    }
}
